"""The warehouse: one database, a schema for each stage, and a role for each kind of use.

The landing contract is OpenSRP's: raw resources in ``airbyte``, one table a type. What reads is
kept apart from what writes, and what may name a person from what may not.
"""

from fhirstack.services.workload import Database, Login, Schema

NAME = "warehouse"
LOADER = "warehouse_loader"
TRANSFORMER = "warehouse_transformer"
DASHBOARD = "warehouse_dashboard"
ANALYST = "warehouse_analyst"

RAW, RUNS = "airbyte", "sync"
STAGING, MARTS, ANONYMOUS = "staging", "marts", "marts_anonymous"

TRANSFORMER_THREADS = 4
DASHBOARD_CONNECTIONS = 10
ANALYST_CONNECTIONS = 4
_READ_ONLY = (("default_transaction_read_only", "on"), ("statement_timeout", "60s"))

_STATEMENTS_AS_TEXT = tuple(
    f"{what}_to_xml{form}"
    for what in ("query", "table", "schema", "database", "cursor")
    for form in ("", "schema", "_and_xmlschema")
)
"""They run statements, or read whole tables, that no reading of the statement shows."""
_SLEEP = ("pg_sleep", "pg_sleep_for", "pg_sleep_until")
_LARGE_OBJECTS = ("lo_creat", "lo_create", "lo_from_bytea", "lo_put", "lowrite")
"""They fill the disk, whatever tables a role may write."""


def secret_of(role: str) -> str:
    """Return the name of a role's password."""
    return f"postgresql-{role.replace('_', '-')}"


def database() -> Database:
    """Return the warehouse."""
    return Database(
        name=NAME,
        role=LOADER,
        secret=secret_of(LOADER),
        # The writer, the runner's lock, its records, and the metrics of the scheduled one.
        pool=5,
        logins=(
            Login(
                TRANSFORMER, secret_of(TRANSFORMER), pool=TRANSFORMER_THREADS + 2, temporary=True
            ),
            Login(DASHBOARD, secret_of(DASHBOARD), pool=DASHBOARD_CONNECTIONS, settings=_READ_ONLY),
            Login(ANALYST, secret_of(ANALYST), pool=ANALYST_CONNECTIONS, settings=_READ_ONLY),
        ),
        schemas=(
            Schema(RAW, LOADER, readers=(TRANSFORMER,)),
            Schema(RUNS, LOADER, readers=(TRANSFORMER,)),
            Schema(STAGING, TRANSFORMER),
            Schema(MARTS, TRANSFORMER, readers=(ANALYST,)),
            Schema(ANONYMOUS, TRANSFORMER, readers=(ANALYST, DASHBOARD)),
        ),
        closed_functions=(*_STATEMENTS_AS_TEXT, *_SLEEP, *_LARGE_OBJECTS),
    )


SECRETS = tuple(secret_of(role) for role in (LOADER, TRANSFORMER, DASHBOARD, ANALYST))
"""The passwords of the warehouse's roles."""
