"""Checks of what must not be reached: ports behind the edge, databases, secrets in sight."""

import socket
from pathlib import Path

import psycopg

from fhirstack.checks.check import Check, FailedError, SkippedError, require
from fhirstack.checks.session import Session
from fhirstack.patience import HANG_SECONDS
from fhirstack.planes.local import processes
from fhirstack.services import keycloak, postgresql, redis


def inside_ports(session: Session) -> str:
    if session.local_root is None:
        raise SkippedError("seen from this machine only; `firewall prove` looks from every host")
    found = processes.listening_of_stack(session.local_root)
    known = {endpoint.port for endpoint in session.inside.values()}
    require(known <= {s.port for s in found}, "not every port of the stack could be seen")
    outside = [f"{s.address}:{s.port}" for s in found if not s.address.is_loopback]
    require(not outside, f"open beyond loopback: {', '.join(outside)}")
    # Keycloak's transaction manager takes a loopback port of its own, to be told apart by.
    return f"all {len(found)} listening sockets of the stack's processes are on loopback"


_REFUSALS = (
    "password authentication failed",
    "permission denied for database",
    "no pg_hba.conf entry",
    "pg_hba.conf rejects connection",
    "is not permitted to log in",
    "no password supplied",
)
"""In what words PostgreSQL and libpq refuse a user (auth.c, postinit.c, fe-auth.c)."""


def database_roles(session: Session) -> str:
    endpoint = session.inside[postgresql.NAME, "sql"]
    own = session.secrets[keycloak.DATABASE.secret].reveal()
    superuser = session.secrets[postgresql.SUPERUSER_SECRET].reveal()
    cases = (
        (keycloak.DATABASE.role, "fhir", own, "Keycloak's role on the FHIR store"),
        (keycloak.DATABASE.role, keycloak.DATABASE.name, "wrong", "a wrong password"),
        (postgresql.SUPERUSER, "postgres", superuser, "the superuser over TCP"),
        ("postgres", "fhir", "", "no password"),
    )
    for user, name, password, what in cases:
        try:
            psycopg.connect(
                host=endpoint.host,
                port=endpoint.port,
                user=user,
                dbname=name,
                password=password,
                connect_timeout=HANG_SECONDS,
            ).close()
        except psycopg.OperationalError as error:
            require(_says_no(error), f"{what}: no answer of PostgreSQL: {error}")
            continue
        raise FailedError(f"{what} gets in")
    return "; ".join(f"{what}: refused" for *_, what in cases)


def _says_no(error: psycopg.OperationalError) -> bool:
    """Tell whether PostgreSQL refused this user: down, slow, starting or full it refuses nobody."""
    return any(word in str(error) for word in _REFUSALS)


def redis_password(session: Session) -> str:
    endpoint = session.inside[redis.NAME, "redis"]
    with socket.create_connection(
        (endpoint.host, endpoint.port), timeout=HANG_SECONDS
    ) as connection:
        connection.sendall(b"KEYS *\r\n")
        answer = connection.recv(200).decode(errors="replace").strip()
    return require(answer.startswith("-NOAUTH"), f"without a password: {answer}")


def secrets_in_sight(session: Session) -> str:
    if session.local_root is None:
        raise SkippedError("the hosts' own processes are looked at by `drift`")
    values = {secret.reveal().encode() for secret in session.secrets.values()}
    seen = 0
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes()
        except OSError:
            continue
        seen += 1
        require(not any(value in command for value in values), f"{entry} shows a secret")
    root = session.local_root
    loose = [p for p in (root / "secrets").iterdir() if p.stat().st_mode & 0o077]
    loose += [p for p in (root / "config").rglob("*") if p.is_file() and p.stat().st_mode & 0o077]
    require(not loose, f"others may read {', '.join(map(str, loose[:3]))}")
    logs = list((root / "log").glob("*.log*"))
    for log in logs:
        content = log.read_bytes()
        require(not any(value in content for value in values), f"{log} shows a secret")
    return f"{seen} command lines and {len(logs)} logs show none; files are for their owner"


CHECKS = (
    Check("closed.ports", "firewall.default-deny", "Nothing listens beyond loopback", inside_ports),
    Check("closed.database", "firewall.database.clients", "Databases keep apart", database_roles),
    Check("closed.redis", "firewall.database.clients", "Redis wants a password", redis_password),
    Check("closed.secrets", "environments.own-secrets", "Secrets stay hidden", secrets_in_sight),
)
