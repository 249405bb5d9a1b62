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
    settings = f"""\
bind {endpoint.host}
port {endpoint.port}
protected-mode yes
aclfile {context.config(NAME, "users.acl")}
dir {context.data(NAME)}
appendonly yes
maxmemory 128mb
# Caches and sessions have a time to live; what has none is never thrown away.
maxmemory-policy volatile-lru
daemonize no
# The title would be written over the environment, by which a stack knows its processes.
set-proc-title no
"""
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
