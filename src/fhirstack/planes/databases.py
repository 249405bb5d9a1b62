"""The plane ``databases``: PostgreSQL roles and databases, observed, compared and changed."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

from fhirstack.errors import UnreachableError
from fhirstack.planes.plane import Action, Change
from fhirstack.secret import MASK, Secret
from fhirstack.services.workload import Database

PLANE = "databases"
SPARE_CONNECTIONS = 2
"""Above its pool, so that a restarting service does not trip over its own old connections."""


@dataclass(frozen=True)
class ObservedRole:
    """A role as PostgreSQL has it: its connection limit and its stored password verifier."""

    limit: int
    verifier: str


def observe(
    connection: psycopg.Connection[tuple[object, ...]],
) -> tuple[dict[str, ObservedRole], dict[str, tuple[str, bool]]]:
    """Return the login roles, and the databases with (owner, whether everybody may connect)."""
    roles = {
        str(name): ObservedRole(int(str(limit)), str(verifier or ""))
        for name, limit, verifier in connection.execute(
            "SELECT rolname, rolconnlimit, rolpassword FROM pg_authid"
            " WHERE rolcanlogin AND NOT rolsuper"
        )
    }
    databases = {
        str(name): (str(owner), bool(public))
        for name, owner, public in connection.execute(
            "SELECT datname, pg_get_userbyid(datdba), datacl IS NULL"
            " OR EXISTS (SELECT FROM aclexplode(datacl) WHERE grantee = 0"
            " AND privilege_type = 'CONNECT')"
            " FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'"
        )
    }
    return roles, databases


def plan(
    connection: psycopg.Connection[tuple[object, ...]],
    desired: tuple[Database, ...],
    secrets: Mapping[str, Secret],
) -> list[Change]:
    """Return the changes for roles and databases; foreign ones are only reported."""
    roles, databases = observe(connection)
    changes = []
    for database in desired:
        changes += _role_changes(connection, database, secrets[database.secret], roles)
        changes += _database_changes(connection, database, databases)
    own_roles, own_databases = {d.role for d in desired}, {d.name for d in desired}
    foreign = [f"roles/{name}" for name in sorted(roles.keys() - own_roles)]
    foreign += [f"databases/{name}" for name in sorted(databases.keys() - own_databases)]
    changes += [
        Change(PLANE, address, Action.REPORT, reason="not made by fhirstack: left as it is")
        for address in foreign
    ]
    return changes


def _role_changes(
    connection: psycopg.Connection[tuple[object, ...]],
    database: Database,
    secret: Secret,
    roles: Mapping[str, ObservedRole],
) -> list[Change]:
    limit = database.pool + SPARE_CONNECTIONS
    observed = roles.get(database.role)
    if observed and observed.limit == limit and verifies(observed.verifier, secret.reveal()):
        return []
    verb = sql.SQL("ALTER" if observed else "CREATE")
    # The server gets a verifier, never the password: neither its log nor ours can show it.
    verifier = connection.pgconn.encrypt_password(
        secret.reveal().encode(), database.role.encode(), b"scram-sha-256"
    )

    def apply() -> None:
        connection.execute(
            sql.SQL(
                "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"
                " CONNECTION LIMIT {} PASSWORD {}"
            ).format(
                verb,
                sql.Identifier(database.role),
                sql.Literal(limit),
                sql.Literal(verifier.decode()),
            )
        )

    return [
        Change(
            PLANE,
            f"roles/{database.role}",
            Action.UPDATE if observed else Action.CREATE,
            {"connection_limit": observed.limit, "password": MASK} if observed else None,
            {"connection_limit": limit, "password": MASK},
            apply=apply,
        )
    ]


def _database_changes(
    connection: psycopg.Connection[tuple[object, ...]],
    database: Database,
    databases: Mapping[str, tuple[str, bool]],
) -> list[Change]:
    name, owner = sql.Identifier(database.name), sql.Identifier(database.role)
    observed = databases.get(database.name)
    statements = []
    if observed is None:
        statements.append(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
    elif observed[0] != database.role:
        statements.append(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner))
    if observed is None or observed[1]:
        statements.append(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    if not statements:
        return []

    def apply() -> None:
        for statement in statements:
            connection.execute(statement)

    before = {"owner": observed[0], "public": observed[1]} if observed else None
    return [
        Change(
            PLANE,
            f"databases/{database.name}",
            Action.UPDATE if observed else Action.CREATE,
            before,
            {"owner": database.role, "public": False},
            apply=apply,
        )
    ]


def verifies(verifier: str, password: str) -> bool:
    """Tell whether a SCRAM-SHA-256 verifier (RFC 5803's form) is of this password."""
    try:
        scheme, iterations_salt, keys = verifier.split("$")
        iterations, salt = iterations_salt.split(":")
        stored_key = base64.b64decode(keys.split(":")[0])
        salted = hashlib.pbkdf2_hmac(
            "sha256", password.encode(), base64.b64decode(salt), int(iterations)
        )
    except ValueError:
        return False
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return scheme == "SCRAM-SHA-256" and hmac.compare_digest(
        hashlib.sha256(client_key).digest(), stored_key
    )


def connect(
    socket_directory: str, port: int, superuser: str, secret: Secret
) -> psycopg.Connection[tuple[object, ...]]:
    """Open an administrator's connection over the private socket. Raises UnreachableError."""
    try:
        return psycopg.connect(
            host=socket_directory,
            port=port,
            user=superuser,
            password=secret.reveal(),
            dbname="postgres",
            autocommit=True,
            connect_timeout=10,
        )
    except psycopg.OperationalError as error:
        raise UnreachableError(
            f"PostgreSQL refuses the administrator: {error}".strip(),
            where=f"{socket_directory}:{port}",
            remedy="If the secret was changed, put the old file back into secrets/.",
        ) from error
