"""Taking a host out of an environment: what of it goes, and what stays behind."""

from collections.abc import Iterable
from typing import Any

from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.calls import LONG_SECONDS, Answer, call, who
from fhirstack.planes.hosts.desired.ssh import KEYS
from fhirstack.planes.hosts.resources import File, Resource, Service
from fhirstack.planes.hosts.ssh import Connections

_STAY = frozenset(
    {"ssh", "nftables", "chrony", "rsyslog", "apt-daily.timer", "apt-daily-upgrade.timer"}
)
"""Units of every host: it is still a machine that is reached, updated and closed."""

_DATA: dict[Role, dict[str, str]] = {
    Role.DATABASE: {
        "/var/lib/postgresql": "PostgreSQL's databases",
        "/var/lib/redis": "what Redis keeps",
    },
    Role.PRIMARY: {"/var/lib/etcd": "the cluster's state", "/var/lib/kubelet": "the kubelet's"},
    Role.WORKER: {"/var/lib/kubelet": "the kubelet's", "/var/lib/containerd": "images"},
    Role.ANALYTICS: {"/var/lib/kubelet": "the kubelet's", "/var/lib/containerd": "images"},
    Role.LOAD_BALANCER: {},
}


def data(environment: Environment, host: Host) -> dict[str, str]:
    """Return where a host of this role keeps what, by path. Pure."""
    if host.role is Role.NFS:
        return {environment.backups.path: "backups"} if environment.backups else {}
    return _DATA[host.role]


def request(environment: Environment, host: Host, resources: Iterable[Resource]) -> dict[str, Any]:
    """Return what the agent is told: what serves, what is secret, whose accounts, which data."""
    every = tuple(resources)
    return {
        "services": [
            one.name if "." in one.name else f"{one.name}.service"
            for one in every
            if isinstance(one, Service) and one.running and not one.masked and one.name not in _STAY
        ],
        "secrets": [one.path for one in every if isinstance(one, File) and one.secret],
        "accounts": list(environment.access.accounts),
        "user": environment.access.user,
        "keys": KEYS,
        "data": data(environment, host),
    }


def retire(
    connections: Connections,
    programme: str,
    host: Host,
    resources: Iterable[Resource],
    *,
    look: bool,
    delete_data: bool,
) -> Answer:
    """Have a host tell what goes and what stays, or do it. Raises UnreachableError."""
    environment = connections.environment
    identity = {"programme": programme, "environment": environment.name, "host": host.name}
    told = request(environment, host, resources)
    words = {"mode": "retire", "identity": identity, "who": who(), "look": look}
    return call(
        connections,
        host.name,
        {**words, **told, "delete_data": delete_data},
        seconds=LONG_SECONDS,
    )
