"""The plane ``databases``: PostgreSQL roles, databases, schemas and rights."""

from collections.abc import Container, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import NamedTuple

import psycopg
from psycopg import sql

from fhirstack.errors import UnreachableError
from fhirstack.planes.databases import extensions, functions, grants, inside, looks, roles, whole
from fhirstack.planes.databases.base import PLANE, Connection, Open, change, run
from fhirstack.planes.databases.identity import Expected, refuse_others
from fhirstack.planes.databases.looks import LEFT
from fhirstack.planes.plane import Action, Change
from fhirstack.secret import Secret
from fhirstack.services.workload import Database

__all__ = ["Connection", "Expected", "connect", "plan"]


class ObservedDatabase(NamedTuple):
    """A database: its owner, and who else has which right on it (``PUBLIC``: everybody).

    ``open``: whether it takes connections at all. ``unfit``: why it cannot serve; empty: it can.
    """

    owner: str
    open: bool
    unfit: str
    rights: frozenset[tuple[str, str]]


def observe(connection: Connection) -> dict[str, ObservedDatabase]:
    """Return the databases but the templates and the administrator's own."""
    known: dict[str, tuple[str, bool, str]] = {}
    rights: dict[str, set[tuple[str, str]]] = {}
    for name, owner, takes, unfit, grantee, right in connection.execute(
        "SELECT datname, pg_get_userbyid(datdba)::text, datallowconn,"
        " CASE WHEN datconnlimit = -2 THEN 'was being dropped when that was interrupted'"
        "  WHEN pg_encoding_to_char(encoding) <> 'UTF8'"
        "  THEN 'is ' || pg_encoding_to_char(encoding) || ', not UTF8' ELSE '' END,"
        " CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END,"
        " a.privilege_type FROM pg_database,"
        " aclexplode(coalesce(datacl, acldefault('d', datdba))) a"
        " WHERE datname NOT IN ('postgres', 'template0', 'template1')"
    ):
        known[str(name)] = (str(owner), bool(takes), str(unfit))
        found = rights.setdefault(str(name), set())
        if grantee != owner:
            found.add((str(grantee), str(right)))
    return {name: ObservedDatabase(*known[name], frozenset(rights[name])) for name in known}


def plan(
    connection: Connection,
    desired: tuple[Database, ...],
    secrets: Mapping[str, Secret],
    open_database: Open,
    unused: tuple[Database, ...] = (),
    *,
    expected: Expected,
) -> list[Change]:
    """Return the changes, in the order to make them; foreign things are only reported.

    ``connection`` is the administrator's, to the database ``postgres``. ``unused`` are databases
    of services that do not run now: their data is kept. Raises UnreachableError where the cluster
    is not the ``expected`` one, or a database in it cannot serve.
    """
    refuse_others(connection, expected)
    observed_roles, databases = roles.observe(connection), observe(connection)
    changes = []
    for database in desired:
        changes += roles.plan(connection, database.every_login, secrets, observed_roles)
    own_roles = frozenset(login.role for d in desired for login in d.every_login)
    known = whole.values(connection, desired, own_roles)
    changes += looks.changes(connection, whole.LOOKS, known, open_database)
    _refuse_unfit(desired, databases)

    def within(database: Database) -> list[Change]:
        found = databases.get(database.name)
        if found and not found.open:
            return []
        with open_database(database.name) if found else nullcontext() as inner:
            return _within(database, inner, open_database, own_roles)

    # Each by a connection of its own: one after another they would take as many round trips.
    with ThreadPoolExecutor(max_workers=max(len(desired), 1)) as pool:
        insides = list(pool.map(within, desired))
    for database, inside_of in zip(desired, insides, strict=True):
        changes += _database(connection, database, databases.get(database.name), own_roles)
        changes += inside_of
        changes += roles.settings(connection, database.name, database.every_login)
    rested = {login.role for d in unused for login in d.every_login}
    others = {name: observed_roles[name] for name in observed_roles.keys() - own_roles}
    shut = {name: roles.foreign(connection, name, others[name]) for name in sorted(others)}
    changes += [one for one in shut.values() if one]
    told = [name for name in others if not shut[name]]
    changes += _told("roles", told, rested)
    rest = databases.keys() - {database.name for database in desired}
    changes += _told("databases", rest, {database.name for database in unused})
    return changes


def _refuse_unfit(desired: Iterable[Database], observed: Mapping[str, ObservedDatabase]) -> None:
    for database in desired:
        found = observed.get(database.name)
        if found and found.unfit:
            raise UnreachableError(
                f"the database {database.name} {found.unfit}; nothing was changed in it",
                remedy="dump it, drop it, `fhirstack databases apply`, and restore it",
            )


def _within(
    database: Database,
    connection: Connection | None,
    open_database: Open,
    own_roles: frozenset[str],
) -> list[Change]:
    """Return what differs inside of a database; ``connection``: None where it is not there yet."""
    changes = []
    if connection:
        known = inside.values(database, own_roles)
        changes += looks.changes(connection, inside.LOOKS, known, open_database, database.name)
    changes += grants.plan(database, connection, open_database, own_roles)
    changes += extensions.plan(database, connection, open_database)
    changes += functions.plan(database, connection, open_database)
    return changes


def _told(kind: str, names: Iterable[str], unused: Container[str]) -> list[Change]:
    kept = "not used now: kept"
    return [
        Change(PLANE, f"{kind}/{name}", Action.REPORT, reason=kept if name in unused else LEFT)
        for name in sorted(names)
    ]


def _database(
    connection: Connection,
    database: Database,
    observed: ObservedDatabase | None,
    own_roles: frozenset[str],
) -> list[Change]:
    wanted = frozenset(
        (login.role, right)
        for login in database.logins
        for right in (("CONNECT", "TEMPORARY") if login.temporary else ("CONNECT",))
    )
    found = observed.rights if observed else frozenset({("PUBLIC", "CONNECT")})
    extra = {(role, right) for role, right in found - wanted if role in own_roles | {"PUBLIC"}}
    name, owner = sql.Identifier(database.name), sql.Identifier(database.role)
    creating, owning = [], []
    if observed is None:
        # Not in a transaction: PostgreSQL wants it so. Not from template1: anybody's things may
        # lie there.
        creating.append(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(
                name, owner
            )
        )
    elif observed.owner != database.role:
        owning.append(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner))
    for role in sorted({role for role, _ in extra}):
        grantee = sql.SQL(role) if role == "PUBLIC" else sql.Identifier(role)
        owning.append(sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(name, grantee))
    lost = {role for role, _ in extra}
    for role, right in sorted(pair for pair in wanted if pair not in found or pair[0] in lost):
        owning.append(
            sql.SQL("GRANT {} ON DATABASE {} TO {}").format(
                sql.SQL(right), name, sql.Identifier(role)
            )
        )
    if not creating and not owning:
        return []

    def apply() -> None:
        for statement in creating:
            connection.execute(statement)
        run(connection, owning)

    before = {"owner": observed.owner, "rights": _shown(observed.rights)} if observed else None
    return [
        change(
            f"databases/{database.name}",
            Action.UPDATE if observed else Action.CREATE,
            before,
            {"owner": database.role, "rights": _shown(wanted)},
            apply,
        )
    ]


_OPTIONS = " ".join(
    f"-c {setting}"
    for setting in (
        "search_path=public",
        "default_transaction_read_only=off",
        "statement_timeout=0",
        "session_replication_role=origin",
        "role=none",
    )
)


def _shown(rights: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{right} to {role}" for role, right in sorted(rights)]


def connect(
    socket_directory: str,
    port: int,
    superuser: str,
    secret: Secret | None,
    database: str = "postgres",
) -> Connection:
    """Open an administrator's connection over the private socket. Raises UnreachableError.

    ``secret``: None where the way itself says who comes.
    """
    try:
        return psycopg.connect(
            host=socket_directory,
            port=port,
            user=superuser,
            password=secret.reveal() if secret else None,
            dbname=database,
            autocommit=True,
            connect_timeout=10,
            # Names are text in any database; and what was set for roles and databases by hand
            # does not hold for who comes to put it right.
            client_encoding="UTF8",
            options=_OPTIONS,
        )
    except psycopg.OperationalError as error:
        raise UnreachableError(
            f"PostgreSQL refuses the administrator: {error}".strip(),
            where=f"{socket_directory}:{port}",
            remedy="If the secret was changed, put the old file back into secrets/.",
        ) from error
