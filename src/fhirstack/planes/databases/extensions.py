"""Extensions of a database: those that its service needs, and those that somebody added."""

from psycopg import sql

from fhirstack.planes.databases.base import PLANE, Open, change, run
from fhirstack.planes.plane import Action, Change
from fhirstack.services.workload import Database

_BUILT_IN = frozenset(("plpgsql",))


def plan(database: Database, connect: Open, *, exists: bool) -> list[Change]:
    """Return the changes of one database's extensions; added ones are only reported."""
    observed: frozenset[str] = frozenset()
    if exists:
        with connect(database.name) as connection:
            rows = connection.execute("SELECT extname FROM pg_extension").fetchall()
        observed = frozenset(str(row[0]) for row in rows) - _BUILT_IN
    missing = [name for name in database.extensions if name not in observed]
    changes = []
    if missing:

        def apply() -> None:
            with connect(database.name) as connection:
                run(
                    connection,
                    [
                        sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(name))
                        for name in missing
                    ],
                )

        address = f"databases/{database.name}/extensions"
        changes.append(change(address, Action.CREATE, sorted(observed) or None, missing, apply))
    changes += [
        Change(
            PLANE,
            f"databases/{database.name}/extensions/{name}",
            Action.REPORT,
            reason="not made by fhirstack: left as it is",
        )
        for name in sorted(observed - set(database.extensions))
    ]
    return changes
