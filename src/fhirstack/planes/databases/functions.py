"""PostgreSQL's own functions that nobody but the administrator runs in a database."""

from psycopg import sql
from psycopg.sql import Composed

from fhirstack.planes.databases.base import Connection, Open, change, run
from fhirstack.planes.plane import Action, Change
from fhirstack.services.workload import Database

_OPEN = (
    "SELECT p.oid::regprocedure::text,"
    " CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END"
    " FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a"
    " WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY(%s)"
    " AND a.grantee <> proowner ORDER BY 1, 2"
)


def plan(database: Database, connection: Connection | None, connect: Open) -> list[Change]:
    """Return the change that closes what is open. A database has all of them open at first.

    ``connection`` is to the database; None where it is not there yet.
    """
    if not database.closed_functions:
        return []
    observed: list[tuple[str, str]] = []
    if connection:
        observed = _observe(connection, database)
        if not observed:
            return []

    def apply() -> None:
        with connect(database.name) as again:
            run(again, [_close(*pair) for pair in _observe(again, database)])

    return [
        change(
            f"databases/{database.name}/functions",
            Action.UPDATE if connection else Action.CREATE,
            [f"{role} may run {function}" for function, role in observed] or None,
            {"closed": sorted(database.closed_functions)},
            apply,
        )
    ]


def _observe(connection: Connection, database: Database) -> list[tuple[str, str]]:
    """Return which function is open to whom, both as SQL has them."""
    rows = connection.execute(_OPEN, [list(database.closed_functions)]).fetchall()
    return [(str(function), str(role)) for function, role in rows]


def _close(function: str, role: str) -> Composed:
    return sql.SQL("REVOKE ALL ON FUNCTION {} FROM {}").format(sql.SQL(function), sql.SQL(role))
