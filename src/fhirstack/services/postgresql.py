"""PostgreSQL: settings from the host's memory, access rules from the databases."""

from collections.abc import Iterable, Mapping

from fhirstack.services.workload import CommandProbe, Context, Database, File, Workload

NAME = "postgresql"
SUPERUSER = "postgres"
SUPERUSER_SECRET = "postgresql-superuser"  # noqa: S105 - a secret's name
RESERVED_CONNECTIONS = 15
"""Connections kept for superusers, backups, exporters and administrators."""
PER_CONNECTION = 10 * 10**6
"""Bytes of a connection: the process and some ``work_mem``."""
MOST_CONNECTIONS = 500
"""Beyond it a pooler serves better."""

Settings = Mapping[str, str]


def connection_limit(databases: Iterable[Database]) -> int:
    """Return ``max_connections``: the sum of all pools and the reserve."""
    pools = [login.pool for database in databases for login in database.every_login]
    return sum(pools) + RESERVED_CONNECTIONS


def served_connections(memory: int) -> int:
    """Return how many connections ``memory`` bytes serve: a quarter of it is theirs."""
    return min(memory // 4 // PER_CONNECTION, MOST_CONNECTIONS)


def shared_buffers(memory: int) -> int:
    """Return the bytes of ``shared_buffers``: a quarter (manual, 19.4)."""
    return memory // 4


def memory_settings(memory: int, connections: int) -> Settings:
    """Return the memory settings for a server that may use ``memory`` bytes.

    The shares are PostgreSQL's own advice: a quarter for shared buffers, and what sorting may
    take on all connections at once stays below another quarter.
    """
    mib = memory // 2**20
    return {
        "shared_buffers": f"{max(shared_buffers(memory) // 2**20, 32)}MB",
        "effective_cache_size": f"{max(mib * 3 // 4, 64)}MB",
        "maintenance_work_mem": f"{min(max(mib // 16, 16), 1024)}MB",
        "work_mem": f"{min(max(mib // 4 // connections, 1), 64)}MB",
    }


def render_settings(settings: Settings) -> str:
    """Return ``postgresql.conf`` text. Values are quoted, quotes in them doubled."""
    lines = []
    for key, value in settings.items():
        quoted = value.replace("'", "''")
        lines.append(f"{key} = '{quoted}'\n")
    return "".join(lines)


def render_access(
    databases: Iterable[Database],
    *networks: str,
    tls: bool = False,
    superuser: str = "scram-sha-256",
) -> str:
    """Return ``pg_hba.conf`` text: each role to its own database, the superuser by socket only.

    ``networks``: where roles may come from. ``tls``: they may not come without it.
    ``superuser``: the method by which the socket knows the superuser.
    """
    kind = "hostssl" if tls else "host"
    lines = [f"local all {SUPERUSER} {superuser}"]
    lines += [
        f"{kind} {database.name} {login.role} {network} scram-sha-256"
        for database in databases
        for login in database.every_login
        for network in networks
    ]
    return "\n".join([*lines, "local all all reject", "host all all all reject", ""])


def common_settings(name: str, memory: int, connections: int) -> Settings:
    """Return the settings that a server has wherever it runs. ``name``: the environment's."""
    return {
        "password_encryption": "scram-sha-256",
        "max_connections": str(connections),
        "superuser_reserved_connections": "3",
        **memory_settings(memory, connections),
        "random_page_cost": "1.1",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_timezone": "UTC",
        "timezone": "UTC",
        "cluster_name": name,
    }


def workload(context: Context, databases: tuple[Database, ...]) -> Workload:
    """Return PostgreSQL for one machine: loopback and a private socket."""
    endpoint = context.endpoint(NAME, "sql")
    connections = connection_limit(databases)
    settings = {
        "hba_file": str(context.config(NAME, "pg_hba.conf")),
        "listen_addresses": endpoint.host,
        "port": str(endpoint.port),
        "unix_socket_directories": str(context.run_root),
        "unix_socket_permissions": "0700",
        **common_settings(context.environment.name, 512 * 2**20, connections),
        "max_wal_size": "1GB",
    }
    binary = context.artifacts[NAME] / "bin"
    return Workload(
        name=NAME,
        command=(
            str(binary / "postgres"),
            "-D",
            str(context.data(NAME) / "main"),
            "-c",
            f"config_file={context.config(NAME, 'postgresql.conf')}",
        ),
        files=(
            File("postgresql.conf", render_settings(settings)),
            File("pg_hba.conf", render_access(databases, "127.0.0.1/32")),
        ),
        ports=("sql",),
        probe=CommandProbe(
            (
                str(binary / "pg_isready"),
                "--quiet",
                f"--host={endpoint.host}",
                f"--port={endpoint.port}",
            )
        ),
        # INT is PostgreSQL's "fast" shutdown: it does not wait for clients to leave.
        stop_signal="INT",
        start_limit_seconds=60,
    )
