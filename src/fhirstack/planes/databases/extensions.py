"""Extensions of a database: those that its service needs, and those that somebody added."""

from psycopg import sql

from fhirstack.planes.databases.base import PLANE, Connection, Open, change, run
from fhirstack.planes.databases.looks import LEFT
from fhirstack.planes.plane import Action, Change
from fhirstack.services.workload import Database

_BUILT_IN = frozenset(("plpgsql",))


def plan(database: Database, connection: Connection | None, connect: Open) -> list[Change]:
    """Return the changes of one database's extensions; added ones are only reported.

    ``connection`` is to the database; None where it is not there yet.
    """
    observed: frozenset[str] = frozenset()
    if connection:
        rows = connection.execute("SELECT extname FROM pg_extension").fetchall()
        observed = frozenset(str(row[0]) for row in rows) - _BUILT_IN
    missing = [name for name in database.extensions if name not in observed]
    changes = []
    if missing:

        def apply() -> None:
            with connect(database.name) as again:
                run(
                    again,
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
            reason=LEFT,
        )
        for name in sorted(observed - set(database.extensions))
    ]
    return changes
