"""Empty schemas, kept in the cache: a second stack need not make some hundred tables again.

What is kept is what the service itself made in a database that was new: tables and indexes, and
the rows in which it notes the version of its schema; no other row, so no realm, key or record.
"""

from collections.abc import Iterable
from pathlib import Path

from fhirstack.bundle.cache import cache_directory, once
from fhirstack.bundle.programs import run
from fhirstack.planes.local.platform import Platform
from fhirstack.planes.plane import Action, Change
from fhirstack.services import postgresql
from fhirstack.services.workload import Database

_SCHEMA, _VERSIONS = "schema.sql", "versions.sql"


def fresh(changes: Iterable[Change], databases: Iterable[Database]) -> tuple[Database, ...]:
    """Return the databases that were made by these changes, and are empty therefore."""
    made = {change.address for change in changes if change.action is Action.CREATE}
    return tuple(d for d in databases if d.service and f"databases/{d.name}" in made)


def restore(platform: Platform, database: Database) -> None:
    """Fill a new database with its service's kept schema, if there is one; wholly or not at all."""
    kept = cache_directory() / _key(platform, database)
    if kept.is_dir():
        files = [f"--file={kept / name}" for name in (_SCHEMA, _VERSIONS)]
        options = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
        _run(
            platform, database, "psql", [*options, *files], platform.stack.path("log", "setup.log")
        )


def keep(platform: Platform, database: Database) -> None:
    """Keep the schema that a service has made in a database that was new."""

    def make(directory: Path, log: Path) -> None:
        plain = ["--no-owner", "--no-privileges"]
        schema = ["--schema-only", f"--file={directory / _SCHEMA}"]
        _run(platform, database, "pg_dump", [*plain, *schema], log)
        tables = [f"--table={table}" for table in database.versions]
        versions = ["--data-only", f"--file={directory / _VERSIONS}", *tables]
        _run(platform, database, "pg_dump", [*plain, *versions], log)

    once(_key(platform, database), make)


def _key(platform: Platform, database: Database) -> str:
    home = platform.context.artifacts[postgresql.NAME]
    return f"schema-{platform.context.artifacts[database.service].name}-postgresql-{home.name}"


def _run(
    platform: Platform, database: Database, program: str, options: list[str], log: Path
) -> None:
    endpoint = platform.context.endpoint(postgresql.NAME, "sql")
    home = platform.context.artifacts[postgresql.NAME]
    address = [f"--host={endpoint.host}", f"--port={endpoint.port}"]
    run(
        [home / "bin" / program, *address, f"--username={database.role}", *options, database.name],
        log=log,
        # The owner's password; an environment is for its user's eyes only, unlike arguments.
        environment={
            "PGPASSWORD": platform.secrets[database.secret].reveal(),
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
        },
    )
