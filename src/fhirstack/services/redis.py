"""Redis: sessions and queues. No default user, and each client has a user of its own."""

import hashlib

from fhirstack.services.workload import Context, File, TcpProbe, Workload

NAME = "redis"
ADMIN_SECRET = "redis-admin"  # noqa: S105 - a secret's name


def render_users(users: dict[str, str]) -> str:
    """Return the ACL file: user name to password; the file holds only hashes."""
    lines = ["user default off nopass -@all"]
    for name, password in users.items():
        digest = hashlib.sha256(password.encode()).hexdigest()
        lines.append(f"user {name} on #{digest} ~* &* +@all")
    return "\n".join([*lines, ""])


def workload(context: Context) -> Workload:
    """Return Redis for one machine: loopback, password, bounded memory, saved on stop."""
    endpoint = context.endpoint(NAME, "redis")
    settings = f"""\
bind {endpoint.host}
port {endpoint.port}
protected-mode yes
aclfile {context.config(NAME, "users.acl")}
dir {context.data(NAME)}
appendonly yes
maxmemory 64mb
maxmemory-policy noeviction
daemonize no
# The title would be written over the environment, by which a stack knows its processes.
set-proc-title no
"""
    return Workload(
        name=NAME,
        command=(str(context.artifacts[NAME]), str(context.config(NAME, "redis.conf"))),
        files=(
            File("redis.conf", settings),
            File("users.acl", render_users({"admin": context.secret(ADMIN_SECRET)})),
        ),
        ports=("redis",),
        probe=TcpProbe("redis"),
        start_limit_seconds=30,
    )
