"""Redis: sessions and queues. No default user, and each client has a user of its own."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from fhirstack.services.workload import Context, File, TcpProbe, Workload

NAME = "redis"
ADMIN_SECRET = "redis-admin"  # noqa: S105 - a secret's name


@dataclass(frozen=True)
class User:
    """A client of Redis: its password's secret, the keys that it reaches, what it may call."""

    name: str
    secret: str
    keys: str = "*"
    commands: tuple[str, ...] = ("+@all",)


ADMIN = User("admin", ADMIN_SECRET)


@dataclass(frozen=True)
class Tls:
    """The paths of a certificate, its key and its authority."""

    certificate: str
    key: str
    authority: str


def render_settings(
    *,
    bind: Iterable[str],
    port: int,
    users: str,
    directory: str,
    memory_mib: int,
    tls: Tls | None = None,
) -> str:
    """Return ``redis.conf``: known users alone, bounded memory, saved on stop.

    ``users``: the path of the ACL file. With ``tls`` the port speaks nothing else.
    """
    ports = f"port {port}\n"
    if tls:
        ports = f"""\
port 0
tls-port {port}
tls-cert-file {tls.certificate}
tls-key-file {tls.key}
tls-ca-cert-file {tls.authority}
tls-auth-clients no
tls-protocols "TLSv1.2 TLSv1.3"
"""
    return f"""\
bind {" ".join(bind)}
{ports}protected-mode yes
aclfile {users}
dir {directory}
appendonly yes
maxmemory {memory_mib}mb
# Caches and sessions have a time to live; what has none is never thrown away.
maxmemory-policy volatile-lru
daemonize no
"""


def render_users(users: Iterable[tuple[User, str]]) -> str:
    """Return the ACL file, from users with their passwords; the file holds only hashes."""
    lines = ["user default off nopass -@all"]
    for user, password in users:
        digest = hashlib.sha256(password.encode()).hexdigest()
        channels = "&*" if user.keys == "*" else "resetchannels"
        rules = " ".join(user.commands)
        lines.append(f"user {user.name} on #{digest} ~{user.keys} {channels} {rules}")
    return "\n".join([*lines, ""])


def workload(context: Context, users: tuple[User, ...]) -> Workload:
    """Return Redis for one machine: loopback, password, bounded memory, saved on stop."""
    known = [(user, context.secret(user.secret)) for user in (ADMIN, *users)]
    endpoint = context.endpoint(NAME, "redis")
    settings = render_settings(
        bind=(endpoint.host,),
        port=endpoint.port,
        users=str(context.config(NAME, "users.acl")),
        directory=str(context.data(NAME)),
        memory_mib=128,
    )
    # The title would be written over the environment, by which a stack knows its processes.
    settings += "set-proc-title no\n"
    return Workload(
        name=NAME,
        command=(str(context.artifacts[NAME]), str(context.config(NAME, "redis.conf"))),
        files=(
            File("redis.conf", settings),
            File("users.acl", render_users(known)),
        ),
        ports=("redis",),
        probe=TcpProbe("redis"),
        start_limit_seconds=30,
    )
