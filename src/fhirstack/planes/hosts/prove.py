"""Proof of the firewall: every vantage point tries every port of every host, all at once.

What is reached must be exactly what the matrix lets through. A port that refuses was reached: the
firewall in front of it is what is proved here, not what listens behind.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fhirstack.errors import FhirstackError
from fhirstack.model.base import IpAddress
from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.page.flows import port_range
from fhirstack.page.matrix import Matrix, matrix
from fhirstack.planes.hosts.calls import Answer, call_all
from fhirstack.planes.hosts.ssh import Connections

REACHED = frozenset({"open", "refused"})
ALWAYS = (
    *(21, 22, 23, 25, 53, 80, 111, 443, 2049, 2379, 2380, 3000, 3306, 5432, 6379, 6443),
    *(8080, 8443, 9090, 9100, 9187, 9200, 10250, 10257, 10259, 12201, 30000, 32767),
)
"""Ports that are tried everywhere: of the page, of Kubernetes, and what is often left open."""

UDP = (53, 111, 123, 161, 8472)
"""Without an answer a UDP port cannot be told from a closed one: a refusal is looked for."""


@dataclass(frozen=True, slots=True)
class Vantage:
    """A machine from which connections are tried, and the addresses it has for others."""

    name: str
    addresses: tuple[IpAddress, ...]
    root: bool
    """Whether it is one of our hosts, on which the agent may be root."""


@dataclass(frozen=True, slots=True)
class Try:
    """One connection: from where, to which address of which host, and what should become of it."""

    source: str
    host: str
    address: str
    protocol: str
    port: int
    allowed: bool
    reason: str = ""
    """The requirement that asks for it, where it is allowed."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A try and what became of it, in the words of ``agent/probe.py``."""

    what: Try
    result: str

    @property
    def reached(self) -> bool:
        """Whether the host was reached."""
        return self.result in REACHED

    @property
    def undecided(self) -> bool:
        """Whether nothing can be said: what listens on UDP may stay silent."""
        return self.what.protocol == "udp" and self.what.allowed and not self.reached

    @property
    def wrong(self) -> bool:
        """Whether it is not as the matrix says."""
        return self.reached != self.what.allowed and not self.undecided

    @property
    def words(self) -> str:
        """What is wrong, for people."""
        what = self.what
        flow = f"{what.source} → {what.host} ({what.address}) {what.protocol} {what.port or ''}"
        if self.reached:
            return f"{flow.rstrip()}: reached ({self.result}), and no flow allows it"
        return f"{flow.rstrip()}: {self.result}, and {what.reason} needs it"


@dataclass(frozen=True)
class Proof:
    """All that was tried, and what could not be."""

    tried: tuple[Tried, ...]
    skipped: Mapping[str, str]
    """Vantage points (or hosts) from which nothing was tried, with the reason."""

    @property
    def wrong(self) -> tuple[Tried, ...]:
        """What is not as the matrix says."""
        return tuple(one for one in self.tried if one.wrong)


def vantages(environment: Environment) -> tuple[Vantage, ...]:
    """Return every machine from which the firewall is tried: outside first, then the hosts."""
    network = environment.network
    outside = []
    if network.bastion:
        outside.append(Vantage(f"{environment.name}-bastion", _both(network.bastion), root=False))
    outside += [
        Vantage(f"{environment.name}-{point.name}", _both(point), root=False)
        for point in network.vantage_points
    ]
    inside = [Vantage(host.name, _both(host), root=True) for host in environment.hosts]
    return (*outside, *inside)


def missing(environment: Environment) -> dict[str, str]:
    """Return the vantage points of the page that the site does not give, with what to do."""
    names = {point.name for point in environment.network.vantage_points}
    return {
        name: f"the site names no vantage point `{name}` (network.vantage_points)"
        for name in ("internet", "monitoring")
        if name not in names
    }


def _both(machine: Any) -> tuple[IpAddress, ...]:
    found: tuple[IpAddress, ...] = machine.addresses
    return found


def tries(
    environment: Environment, source: Vantage, ports: Mapping[str, Iterable[int]]
) -> tuple[Try, ...]:
    """Return all that one vantage point tries. ``ports``: more ones, that a host listens on."""
    rules = matrix(environment)
    wanted = sorted({*ALWAYS, *_flow_ports(rules)} | {p for some in ports.values() for p in some})
    found = []
    for host in environment.hosts:
        if host.name == source.name:
            continue
        for address in _ways(environment, host, source):
            sender = _same_family(source, address)
            if sender is None:
                continue
            for protocol, port in (
                *(("tcp", port) for port in wanted),
                *(("udp", port) for port in UDP),
                ("icmp", 0),
            ):
                flow = rules.allowed(sender, address, protocol, port or None)
                found.append(
                    Try(
                        source.name,
                        host.name,
                        str(address),
                        protocol,
                        port,
                        flow is not None,
                        flow.requirements[0] if flow else "",
                    )
                )
    return tuple(found)


def _ways(environment: Environment, host: Host, source: Vantage) -> list[IpAddress]:
    """Return the addresses by which a vantage point would reach a host."""
    own = list(_both(host))
    if host.role is not Role.LOAD_BALANCER:
        return own
    network = environment.network
    public = [a for a in (network.public_address, network.public_address6) if a]
    return public if not source.root else [*own, *public]


def _same_family(source: Vantage, address: IpAddress) -> IpAddress | None:
    return next((own for own in source.addresses if own.version == address.version), None)


def _flow_ports(rules: Matrix) -> set[int]:
    """Return every port that a flow names; of a range its ends."""
    return {
        port
        for flow in rules.flows
        if flow.protocol == "tcp" and flow.destination.role
        for ports in flow.ports
        for port in port_range(ports)
    }


def prove(connections: Connections, names: Iterable[str] | None = None) -> Proof:
    """Try everything, from every vantage point at once. ``names``: from these alone."""
    environment = connections.environment
    points = [p for p in vantages(environment) if names is None or p.name in names]
    skipped = dict(missing(environment)) if names is None else {}
    hosts = [host.name for host in environment.hosts]
    listening = call_all(connections, {name: {"mode": "ports"} for name in hosts})
    ports = {}
    for name, told in listening.items():
        if isinstance(told, FhirstackError) or told.get("error"):
            skipped[name] = f"what listens on it is not known: {_reason(told)}"
        else:
            ports[name] = told["ports"]
    plans = {point.name: tries(environment, point, ports) for point in points}
    requests = {name: _request(plan) for name, plan in plans.items()}
    own = {name for name in requests if name in hosts}
    tried: list[Tried] = []
    for name, answer in call_all(connections, requests, root=own).items():
        if isinstance(answer, FhirstackError) or answer.get("error"):
            skipped[name] = f"nothing was tried from it: {_reason(answer)}"
            continue
        tried += map(Tried, plans[name], answer["results"])
    order = {point.name: number for number, point in enumerate(points)}
    return Proof(tuple(sorted(tried, key=lambda one: order[one.what.source])), skipped)


def _request(plan: tuple[Try, ...]) -> dict[str, Any]:
    return {
        "mode": "probe",
        "targets": [[one.address, one.protocol, one.port] for one in plan],
        "expected": [number for number, one in enumerate(plan) if one.allowed],
    }


def _reason(answer: Answer | FhirstackError) -> str:
    return answer.what if isinstance(answer, FhirstackError) else str(answer.get("error"))
