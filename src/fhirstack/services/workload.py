"""A workload: what runs, independent of where it runs.

Services make workloads with pure functions of a ``Context``; a runtime (local processes here,
Kubernetes objects in a cluster) fills the context with its own places and addresses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from fhirstack.model.site import Environment, Kind
from fhirstack.secret import Secret


@dataclass(frozen=True)
class Endpoint:
    """Where a port of a service is reached from the other services."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class File:
    """A configuration file of a workload. ``path`` is relative to its configuration directory."""

    path: str
    content: str


@dataclass(frozen=True)
class HttpProbe:
    """Ready when this address answers 200."""

    port: str
    path: str


@dataclass(frozen=True)
class TcpProbe:
    """Ready when the port accepts a connection."""

    port: str


@dataclass(frozen=True)
class CommandProbe:
    """Ready when the command ends with 0."""

    command: tuple[str, ...]


Probe = HttpProbe | TcpProbe | CommandProbe


@dataclass(frozen=True)
class Workload:
    """One long-running process and all that it needs."""

    name: str
    command: tuple[str, ...]
    probe: Probe
    files: tuple[File, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    stop_signal: str = "TERM"
    start_limit_seconds: int = 180


@dataclass(frozen=True)
class Context:
    """What a runtime tells a service: the environment and where things are."""

    environment: Environment
    endpoints: Mapping[tuple[str, str], Endpoint]
    artifacts: Mapping[str, PurePosixPath]
    config_root: PurePosixPath
    data_root: PurePosixPath
    run_root: PurePosixPath
    tls_root: PurePosixPath
    log_root: PurePosixPath
    secrets: Mapping[str, Secret]
    tls_digest: str = ""
    """Changes with any certificate: what reads certificates at start depends on it."""

    def endpoint(self, service: str, port: str) -> Endpoint:
        """Return the address of a service's port. Raises KeyError for an unknown one."""
        return self.endpoints[service, port]

    def config(self, service: str, path: str = "") -> PurePosixPath:
        """Return the place of a configuration file at run time."""
        return self.config_root / service / path if path else self.config_root / service

    def data(self, service: str) -> PurePosixPath:
        """Return the service's data directory."""
        return self.data_root / service

    def secret(self, name: str) -> str:
        """Return a secret's plain value, for a file that only its service can read."""
        return self.secrets[name].reveal()


@dataclass(frozen=True)
class Login:
    """A role that logs in to a database that it does not own. ``pool``: its most connections.

    ``temporary``: whether it may make temporary tables. ``settings`` hold for its sessions there.
    """

    role: str
    secret: str
    pool: int
    temporary: bool = False
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Schema:
    """A schema of a database, its owner, and the roles that read all of it, now and later."""

    name: str
    owner: str
    readers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Database:
    """A PostgreSQL database and the role that owns it. ``pool``: its most connections.

    ``versions`` are the tables in which its service notes what it did to the schema. ``logins``
    and ``schemas`` are for a database that several roles share, each with rights of its own;
    ``closed_functions`` of PostgreSQL's own are open to none of them.
    """

    name: str
    role: str
    secret: str
    pool: int
    service: str = ""
    versions: tuple[str, ...] = ()
    logins: tuple[Login, ...] = ()
    schemas: tuple[Schema, ...] = ()
    extensions: tuple[str, ...] = ()
    closed_functions: tuple[str, ...] = ()

    @property
    def every_login(self) -> tuple[Login, ...]:
        """The owner and the others."""
        return (Login(self.role, self.secret, self.pool, temporary=True), *self.logins)


def java_options(
    context: Context, *, heap_mib: int, metaspace_mib: int, start_first: bool = False
) -> tuple[str, ...]:
    """Return the JVM options that bound a service's memory and make it fail fast.

    ``start_first`` is for a service of which little is asked: on one machine it gets the first
    compiler tier alone, as half of the work of a start is the second tier's, whose code is faster.
    """
    local = context.environment.kind is Kind.LOCAL
    quick = ("-XX:TieredStopAtLevel=1",) if start_first and local else ()
    return (
        *quick,
        f"-Xmx{heap_mib}m",
        "-Xms64m",
        f"-XX:MaxMetaspaceSize={metaspace_mib}m",
        "-XX:ReservedCodeCacheSize=96m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-Dfile.encoding=UTF-8",
        "-Djava.net.preferIPv4Stack=true",
        # Nothing in /tmp: what one user's Keycloak leaves there stops another user's.
        f"-Djava.io.tmpdir={context.run_root / 'tmp'}",
        "-XX:-UsePerfData",
    )
