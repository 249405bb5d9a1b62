"""The set-up of Superset: what its program is told, and how it is called.

The program makes the schema, permissions, roles and assets, and fills in the connections.
"""

import json

from fhirstack.services import postgresql, warehouse
from fhirstack.services.superset import names
from fhirstack.services.workload import Context, File

DASHBOARD_CONNECTION = "6f1b0a52-6d5e-4c0e-9a3a-1f0f6a9f0001"
ANALYST_CONNECTION = "6f1b0a52-6d5e-4c0e-9a3a-1f0f6a9f0002"
"""The fixed ids of the two connections among the assets."""

_LOGINS = {
    DASHBOARD_CONNECTION: warehouse.DASHBOARD,
    ANALYST_CONNECTION: warehouse.ANALYST,
}


def render_setup(context: Context) -> str:
    """Return the set-up program's configuration: JSON with paths of secrets, never secrets."""
    server = context.endpoint(postgresql.NAME, "sql")

    def connection(database: str, role: str) -> dict[str, str | int]:
        return {
            "host": server.host,
            "port": server.port,
            "database": database,
            "role": role,
            "password_file": str(context.config(names.NAME, _password_file(role))),
        }

    settings = {
        "metadata": connection(names.DATABASE.name, names.DATABASE.role),
        "connections": {uuid: connection(warehouse.NAME, role) for uuid, role in _LOGINS.items()},
    }
    return json.dumps(settings, indent=2) + "\n"


def setup_files(context: Context) -> tuple[File, ...]:
    """Return the program's configuration and the passwords that it names."""
    secrets = {names.DATABASE.role: names.DATABASE.secret}
    secrets |= {role: warehouse.secret_of(role) for role in _LOGINS.values()}
    return (
        File("setup.json", render_setup(context)),
        *(File(_password_file(role), context.secret(name)) for role, name in secrets.items()),
    )


def setup_command(context: Context, *, check: bool = False) -> tuple[str, ...]:
    """Return the set-up program's command; with ``check`` it only tells what would change.

    It ends with 0 (done, or nothing to do), 1 (``check`` found differences) or 2 (failed), and
    prints one JSON object. Its environment is the web server's.
    """
    return (
        str(context.artifacts[names.NAME] / "bin/python"),
        *("-m", "fhirstack_superset"),
        *("--config", str(context.config(names.NAME, "setup.json"))),
        *(("--check",) if check else ()),
    )


def _password_file(role: str) -> str:
    return f"{role}.password"
