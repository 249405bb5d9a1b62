"""Ports that the platform's programs will take on a host of each role."""

from dataclasses import dataclass

from fhirstack.checks.preflight.storage import CLUSTER
from fhirstack.model.host import Role
from fhirstack.model.site import Environment


@dataclass(frozen=True, slots=True)
class Wanted:
    """A port or range, what it is for, and whose programs of ours hold it.

    Programs are named as /proc/<pid>/comm has them, in 15 characters; none: the kernel itself.
    """

    protocol: str
    first: int
    last: int
    what: str
    programs: tuple[str, ...] = ()

    def takes(self, protocol: str, port: int) -> bool:
        """Return whether a port is this one, or of this range."""
        return protocol == self.protocol and self.first <= port <= self.last


_PRIMARY = (
    Wanted("tcp", 6443, 6443, "Kubernetes API", ("kube-apiserver",)),
    Wanted("tcp", 2379, 2380, "etcd", ("etcd",)),
    Wanted("tcp", 10257, 10257, "controller manager", ("kube-controller",)),
    Wanted("tcp", 10259, 10259, "scheduler", ("kube-scheduler",)),
)
_NODE = (
    Wanted("tcp", 10250, 10250, "kubelet", ("kubelet",)),
    Wanted("tcp", 4240, 4240, "Cilium's health", ("cilium-agent",)),
    Wanted("udp", 8472, 8472, "pods' network"),
    Wanted("tcp", 30000, 32767, "node ports", ("cilium-agent", "kube-proxy")),
)


_EVERY = (Wanted("tcp", 9100, 9100, "metrics", ("prometheus-node",)),)


def wanted(environment: Environment, role: Role) -> tuple[Wanted, ...]:
    """Return what a host of a role will listen on, besides SSH."""
    return (*_of_role(environment, role), *_EVERY)


def _of_role(environment: Environment, role: Role) -> tuple[Wanted, ...]:
    if role is Role.LOAD_BALANCER:
        edge = environment.edge
        return (
            Wanted("tcp", edge.http_port, edge.http_port, "HTTP", ("haproxy",)),
            Wanted("tcp", edge.https_port, edge.https_port, "HTTPS", ("haproxy",)),
            Wanted("tcp", 6443, 6443, "Kubernetes API", ("haproxy",)),
        )
    if role is Role.DATABASE:
        return (
            Wanted("tcp", 5432, 5432, "PostgreSQL", ("postgres",)),
            Wanted("tcp", 6379, 6379, "Redis", ("redis-server",)),
        )
    if role is Role.NFS:
        ganesha = environment.storage.server == "ganesha"
        return (Wanted("tcp", 2049, 2049, "NFS", ("ganesha.nfsd",) if ganesha else ()),)
    return (*_PRIMARY, *_NODE) if role is Role.PRIMARY else _NODE if role in CLUSTER else ()
