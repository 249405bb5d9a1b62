"""Roles of PostgreSQL: attributes, connection limits, passwords, memberships, settings."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg import sql

from fhirstack.planes.databases.base import Connection, change, run
from fhirstack.planes.plane import Action, Change
from fhirstack.secret import MASK, Secret
from fhirstack.services.workload import Login

SPARE_CONNECTIONS = 2
"""Above its pool, so that a restarting service does not trip over its own old connections."""

_RIGHTS = ("superuser", "createdb", "createrole", "replication", "bypassrls")
"""Attributes that no role of a service has."""
_POWER = ("superuser", "createrole", "replication", "bypassrls")
"""Those with which a role reads or changes what is not its own."""


@dataclass(frozen=True)
class ObservedRole:
    """A role as PostgreSQL has it."""

    login: bool
    limit: int
    verifier: str
    rights: tuple[str, ...]
    until: str = ""
    """When its password ends to be taken; empty: never."""


def observe(connection: Connection) -> dict[str, ObservedRole]:
    """Return all roles but the built-in ones and the first superuser."""
    rows = connection.execute(
        "SELECT rolname, rolcanlogin, rolconnlimit, coalesce(rolpassword, ''),"
        " rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,"
        " coalesce(nullif(rolvaliduntil, 'infinity')::text, '')"
        " FROM pg_authid WHERE oid >= 16384"
    )
    return {
        str(name): ObservedRole(
            bool(login),
            int(str(limit)),
            str(verifier),
            tuple(right for right, has in zip(_RIGHTS, flags, strict=True) if has),
            str(until),
        )
        for name, login, limit, verifier, *flags, until in rows
    }


def plan(
    connection: Connection,
    logins: Iterable[Login],
    secrets: Mapping[str, Secret],
    observed: Mapping[str, ObservedRole],
) -> list[Change]:
    """Return the changes of the roles that log in."""
    changes = []
    for login in logins:
        changes += _role(connection, login, secrets[login.secret], observed.get(login.role))
    return changes


def _role(
    connection: Connection, login: Login, secret: Secret, observed: ObservedRole | None
) -> list[Change]:
    limit = login.pool + SPARE_CONNECTIONS
    good = ObservedRole(True, limit, observed.verifier if observed else "", ())
    if observed == good and verifies(observed.verifier, secret.reveal()):
        return []
    name = sql.Identifier(login.role)
    # The server gets a verifier, never the password: neither its log nor ours can show it.
    verifier = connection.pgconn.encrypt_password(
        secret.reveal().encode(), login.role.encode(), b"scram-sha-256"
    )
    statements = [
        sql.SQL(
            "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
            " CONNECTION LIMIT {} PASSWORD {} VALID UNTIL 'infinity'"
        ).format(
            sql.SQL("ALTER" if observed else "CREATE"),
            name,
            sql.Literal(limit),
            sql.Literal(verifier.decode()),
        )
    ]
    return [
        change(
            f"roles/{login.role}",
            Action.UPDATE if observed else Action.CREATE,
            _shown(observed) if observed else None,
            _shown(good),
            lambda: run(connection, statements),
        )
    ]


def _shown(role: ObservedRole) -> dict[str, object]:
    shown: dict[str, object] = {"connection_limit": role.limit, "password": MASK}
    if not role.login:
        shown["login"] = False
    if role.rights:
        shown["rights"] = list(role.rights)
    if role.until:
        shown["valid_until"] = role.until
    return shown


def foreign(connection: Connection, name: str, observed: ObservedRole) -> Change | None:
    """Return the change of a role of others that is above the server's rights; None: it is not.

    It stays, with what it owns; it logs in no more.
    """
    power = [right for right in observed.rights if right in _POWER]
    if not power:
        return None
    attributes = " ".join(f"NO{right.upper()}" for right in power)
    statement = sql.SQL("ALTER ROLE {} NOLOGIN {}").format(
        sql.Identifier(name), sql.SQL(attributes)
    )
    return change(
        f"roles/{name}",
        Action.UPDATE,
        {"login": observed.login, "rights": power},
        {"login": False, "rights": []},
        lambda: run(connection, [statement]),
        reason="not made by fhirstack, and above the rights that it gives: shut out, not removed",
    )


def settings(connection: Connection, database: str, logins: Iterable[Login]) -> list[Change]:
    """Return the changes of what holds for each role's sessions in a database."""
    rows = connection.execute(
        "SELECT pg_get_userbyid(setrole), setconfig FROM pg_db_role_setting"
        " JOIN pg_database d ON d.oid = setdatabase WHERE datname = %s AND setrole <> 0",
        [database],
    )
    observed: dict[str, dict[str, str]] = {}
    for role, pairs in rows:
        split = (str(pair).partition("=") for pair in pairs or ())  # type: ignore[attr-defined]
        observed[str(role)] = {key: value for key, _, value in split}
    changes = []
    for login in logins:
        wanted, found = dict(login.settings), observed.get(login.role, {})
        if wanted == found:
            continue
        alter = sql.SQL("ALTER ROLE {} IN DATABASE {} ").format(
            sql.Identifier(login.role), sql.Identifier(database)
        )
        statements = [alter + sql.SQL("RESET ALL")]
        statements += [
            alter + sql.SQL("SET {} = {}").format(sql.Identifier(key), sql.Literal(value))
            for key, value in wanted.items()
        ]
        changes.append(
            change(
                f"databases/{database}/roles/{login.role}",
                Action.UPDATE if found else Action.CREATE,
                found or None,
                wanted,
                lambda statements=statements: run(connection, statements),  # type: ignore[misc]
            )
        )
    return changes


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
