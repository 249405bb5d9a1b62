"""What was seen of an environment's hosts, as types. The agent's ``facts`` module fills them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.provided import Look


class _Part(BaseModel):
    """Frozen. What a newer agent says beyond it is passed over."""

    model_config = ConfigDict(frozen=True)


class Told(_Part):
    """An answer of the network, or why there is none."""

    value: Any = None
    error: str | None = None


class System(_Part):
    """The distribution, by /etc/os-release."""

    id: str
    version: str
    name: str


class FileSystem(_Part):
    """A mounted file system; sizes in bytes, ``free`` for accounts that are not root."""

    mount: str
    type: str
    source: str
    remote: bool
    total: int
    free: int


class Listener(_Part):
    """A port that is taken, and by which program."""

    protocol: str
    port: int
    addresses: tuple[str, ...]
    program: str | None
    pid: int | None


class Clock(_Part):
    """How far a host's clock is ahead of this machine's, in seconds, give or take ``within``."""

    offset: float
    within: float


class Link(_Part):
    """Speeds between the load balancer and here, in Mb/s: the link is at least as fast."""

    upstream: float
    downstream: float


class Facts(_Part):
    """One host as it is. None: could not be told."""

    machine_id: str
    root: bool
    sudo: str | None = None
    """Why there is no root, where there is none."""
    owner: dict[str, str] | None = None
    """Whose host it is since an earlier apply: programme, environment and host."""
    strangers: tuple[str, ...] | None = None
    """What is of others where a service's data and port will be, which root alone can see."""
    hostname: str
    os: System
    kernel: str
    architecture: str
    virtualisation: str | None
    cores: int | None
    memory: int | None
    swap: tuple[str, ...]
    filesystems: tuple[FileSystem, ...]
    paths: dict[str, str]
    """Where directories that will be used lead to."""
    disks: dict[str, int]
    addresses: tuple[str, ...] | None
    modules: dict[str, bool | None]
    listening: tuple[Listener, ...]
    synchronised: bool | None
    time_services: tuple[str, ...]
    resolvers: tuple[str, ...]
    proxies: tuple[str, ...] = ()
    """The schemes of what was asked by a proxy."""
    own_proxies: dict[str, str] = {}
    """The host's own, by scheme, as they are before an apply."""
    repositories: dict[str, Told]
    urls: dict[str, Told]
    names: dict[str, Told]
    dns: dict[str, Told]
    ntp: dict[str, Told]
    clock: Clock | None = None
    link: Link | None = None
    link_error: str | None = None


@dataclass(frozen=True, slots=True)
class Unreached:
    """Why nothing is known of a host, and what to do."""

    stage: Literal["key", "ssh", "agent"]
    """Its host key is not known; SSH does not get there; it does, and the agent does not run."""
    reason: str
    remedy: str


@dataclass(frozen=True)
class Seen:
    """An environment, the hosts that were chosen, and what was seen of each."""

    environment: Environment
    hosts: tuple[Host, ...]
    facts: Mapping[str, Facts]
    unreached: Mapping[str, Unreached]
    certificates: Look | None = None
    """What is in the directory of the site's own certificates, if it provides any."""

    @property
    def answered(self) -> tuple[tuple[Host, Facts], ...]:
        """The hosts that answered, with their facts, in the order of the site."""
        return tuple(
            (host, self.facts[host.name]) for host in self.hosts if host.name in self.facts
        )

    @property
    def entry(self) -> Host | None:
        """The load balancer, if it is among the chosen."""
        return next((host for host in self.hosts if host.role is Role.LOAD_BALANCER), None)
