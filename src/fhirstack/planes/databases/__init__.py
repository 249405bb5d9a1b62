"""The plane ``databases``: PostgreSQL roles, databases, schemas and rights."""

from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

import psycopg
from psycopg import sql

from fhirstack.errors import UnreachableError
from fhirstack.planes.databases import extensions, functions, grants, roles
from fhirstack.planes.databases.base import PLANE, Connection, Open, change, run
from fhirstack.planes.plane import Action, Change
from fhirstack.secret import Secret
from fhirstack.services.workload import Database

__all__ = ["Connection", "connect", "plan"]


class ObservedDatabase(NamedTuple):
    """A database: its owner, and who else has which right on it (``PUBLIC``: everybody)."""

    owner: str
    rights: frozenset[tuple[str, str]]


def observe(connection: Connection) -> dict[str, ObservedDatabase]:
    """Return the databases but the templates and the administrator's own."""
    owners: dict[str, str] = {}
    rights: dict[str, set[tuple[str, str]]] = {}
    for name, owner, grantee, right in connection.execute(
        "SELECT datname, pg_get_userbyid(datdba)::text,"
        " CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END,"
        " a.privilege_type FROM pg_database,"
        " aclexplode(coalesce(datacl, acldefault('d', datdba))) a"
        " WHERE NOT datistemplate AND datname <> 'postgres'"
    ):
        owners[str(name)] = str(owner)
        found = rights.setdefault(str(name), set())
        if grantee != owner:
            found.add((str(grantee), str(right)))
    return {name: ObservedDatabase(owners[name], frozenset(rights[name])) for name in owners}


def plan(
    connection: Connection,
    desired: tuple[Database, ...],
    secrets: Mapping[str, Secret],
    open_database: Open,
    unused: tuple[Database, ...] = (),
) -> list[Change]:
    """Return the changes, in the order to make them; foreign things are only reported.

    ``connection`` is the administrator's, to the database ``postgres``. ``unused`` are databases
    of services that do not run now: their data is kept.
    """
    observed_roles, databases = roles.observe(connection), observe(connection)
    changes = []
    for database in desired:
        changes += roles.plan(connection, database.every_login, secrets, observed_roles)
    own_roles = frozenset(login.role for d in desired for login in d.every_login)
    for database in desired:
        found = databases.get(database.name)
        changes += _database(connection, database, found, own_roles)
        changes += grants.plan(database, open_database, own_roles, exists=found is not None)
        changes += extensions.plan(database, open_database, exists=found is not None)
        changes += functions.plan(database, open_database, exists=found is not None)
        changes += roles.settings(connection, database.name, database.logins)
    rested = {login.role for d in unused for login in d.every_login}
    changes += _told("roles", observed_roles.keys() - own_roles, rested)
    others = databases.keys() - {database.name for database in desired}
    changes += _told("databases", others, {database.name for database in unused})
    return changes


def _told(kind: str, names: Iterable[str], unused: Container[str]) -> list[Change]:
    kept, foreign = "not used now: kept", "not made by fhirstack: left as it is"
    return [
        Change(PLANE, f"{kind}/{name}", Action.REPORT, reason=kept if name in unused else foreign)
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
        # Not in a transaction: PostgreSQL wants it so.
        creating.append(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
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
        )
    except psycopg.OperationalError as error:
        raise UnreachableError(
            f"PostgreSQL refuses the administrator: {error}".strip(),
            where=f"{socket_directory}:{port}",
            remedy="If the secret was changed, put the old file back into secrets/.",
        ) from error
