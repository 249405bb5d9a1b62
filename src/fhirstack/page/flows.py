"""The firewall matrix of one environment, host by host: what is not in it is denied.

The flows stand beside the requirements that ask for them (``data/firewall.yaml``), between roles
and zones. Here they become pairs of hosts with addresses, from which a firewall is rendered and
the way of a packet is judged.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address, ip_network

from fhirstack.model.base import IpAddress, IpNetwork
from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.page.requirements import Flow, Requirement, requirements

_ANYWHERE: tuple[IpNetwork, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_CLUSTER = (Role.PRIMARY, Role.WORKER)
"""The page: "Cluster nodes (Both primary and worker nodes)"."""

OPTIONAL_ZONES = frozenset(
    {"administrators", "mail-servers", "monitoring", "off-site-https", "off-site-ssh"}
)
"""Zones that a site need not have: their flows are then left out."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a flow: a host, or a zone outside of the environment."""

    name: str
    networks: tuple[IpNetwork, ...]
    role: Role | None = None
    """The host's role; None for a zone."""
    public: tuple[IpAddress, ...] = ()
    """Addresses at which the internet finds the host; other hosts do not see it by them."""

    def holds(self, address: IpAddress) -> bool:
        """Whether the address is of this end."""
        return any(address in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class HostFlow:
    """A flow between two ends of one environment, opened by the source."""

    source: Endpoint
    destination: Endpoint
    protocol: str
    """``tcp``, ``udp``, ``icmp``, or ``any`` for all protocols."""
    ports: tuple[str, ...]
    """Ports of the destination, single or a range; none: all."""
    requirements: tuple[str, ...]
    """The ids of the requirements that ask for it."""
    addition: bool
    """Whether no sentence of the page asks for it."""

    def admits(self, protocol: str, port: int | None) -> bool:
        """Whether a packet of this protocol to this port belongs to the flow."""
        if self.protocol not in {"any", protocol}:
            return False
        if not self.ports or port is None:
            return not self.ports
        return any(first <= port <= last for first, last in map(port_range, self.ports))


def port_range(ports: str) -> tuple[int, int]:
    """Turn ``"443"`` or ``"30000-32767"`` into first and last port."""
    first, _, last = ports.partition("-")
    return int(first), int(last or first)


def flows(environment: Environment) -> tuple[HostFlow, ...]:
    """Return every flow of the environment, each once, in the order of the requirements."""
    found: dict[tuple[str, str, str, tuple[str, ...]], HostFlow] = {}
    for requirement in requirements():
        for flow in host_flows(environment, requirement):
            key = (flow.source.name, flow.destination.name, flow.protocol, flow.ports)
            known = found.get(key)
            if known:
                found[key] = HostFlow(
                    known.source,
                    known.destination,
                    known.protocol,
                    known.ports,
                    (*known.requirements, *flow.requirements),
                    known.addition and flow.addition,
                )
            else:
                found[key] = flow
    return tuple(found.values())


def host_flows(environment: Environment, requirement: Requirement) -> tuple[HostFlow, ...]:
    """Return the flows that one requirement asks for."""
    return tuple(
        HostFlow(
            source,
            destination,
            flow.protocol,
            ports,
            (requirement.id,),
            requirement.addition,
        )
        for flow in requirement.flows
        for source in endpoints(environment, flow.source)
        for destination, ports in _destinations(environment, flow)
        if source.name != destination.name
    )


def _destinations(
    environment: Environment, flow: Flow
) -> Iterator[tuple[Endpoint, tuple[str, ...]]]:
    """Yield the ends that accept a flow, and on which ports they do.

    SSH, which the page calls port 22, is each host's own port. Where the site has a proxy, what
    would go out to anywhere by HTTP or HTTPS goes to it alone.
    """
    proxy = environment.network.proxy
    ssh_ports = {host.name: environment.ssh_port(host) for host in environment.hosts}
    for end in endpoints(environment, flow.destination):
        if proxy and end.role is None and end.networks == _ANYWHERE and _is_web(flow):
            yield Endpoint("proxy", _networks([proxy.address])), (str(proxy.port),)
        elif end.role and (flow.protocol, flow.ports) == ("tcp", ("22",)):
            yield end, (str(ssh_ports[end.name]),)
        else:
            yield end, flow.ports


def _is_web(flow: Flow) -> bool:
    return flow.protocol == "tcp" and bool(flow.ports) and {*flow.ports} <= {"80", "443"}


def endpoints(environment: Environment, zone: str) -> tuple[Endpoint, ...]:
    """Return the ends that a role or zone of the matrix stands for in an environment.

    Raises ValueError for a zone that the matrix does not know.
    """
    roles = {"cluster": _CLUSTER, "hosts": tuple(Role)}.get(zone)
    if roles is None and zone in set(Role):
        roles = (Role(zone),)
    if roles is not None:
        return tuple(_host(environment, host) for host in environment.hosts if host.role in roles)
    networks = _zone(environment, zone)
    return (Endpoint(zone, networks),) if networks else ()


def _host(environment: Environment, host: Host) -> Endpoint:
    public = environment.network.public_addresses if host.role is Role.LOAD_BALANCER else ()
    return Endpoint(host.name, _networks(host.addresses), host.role, public)


def show(flow: Flow | HostFlow) -> str:
    """Write protocol and ports for people: ``tcp 5432, 6379``."""
    if flow.protocol == "any":
        return "all protocols and ports"
    return f"{flow.protocol} {', '.join(flow.ports)}".strip()


def off_site_host(environment: Environment) -> str | None:
    """Return the host in the off-site path, None for an object store or no path at all."""
    path = environment.backups.offsite if environment.backups else None
    if not path:
        return None
    scheme, separator, rest = path.partition("://")
    if separator and scheme not in {"sftp", "ssh", "rsync", "https"}:
        return None
    if not separator and ":" not in path:
        return None
    authority = rest.split("/")[0] if separator else path.split(":/")[0]
    host = authority.rpartition("@")[2]
    return host.partition("]")[0].strip("[") if host.startswith("[") else host.split(":")[0]


def _zone(environment: Environment, zone: str) -> tuple[IpNetwork, ...]:
    if zone in {"off-site-https", "off-site-ssh"}:
        return _off_site(environment, zone)
    network = environment.network
    direct = () if network.bastion else network.administrators
    zones = {
        "internet": _ANYWHERE,
        # Without a bastion, who stands there is an administrator's own machine.
        "bastion": _networks(network.bastion.addresses) if network.bastion else direct,
        "administrators": direct,
        "monitoring": _networks(environment.monitoring.addresses),
        "resolvers": _networks(network.resolvers) or _ANYWHERE,
        "time-servers": _by_name_or_not(network.time_servers) or _ANYWHERE,
        "mail-servers": _by_name_or_not(network.mail_servers),
    }
    if zone not in zones:
        raise ValueError(f"the firewall matrix knows no zone {zone}")
    return zones[zone]


def _off_site(environment: Environment, zone: str) -> tuple[IpNetwork, ...]:
    """Return where the off-site store is: any address, unless its path names one."""
    path = environment.backups.offsite if environment.backups else None
    host = off_site_host(environment)
    by_ssh = host is not None and not (path or "").startswith("https://")
    if not path or by_ssh != (zone == "off-site-ssh"):
        return ()
    try:
        return _networks([ip_address(host or "")])
    except ValueError:
        return _ANYWHERE


def _by_name_or_not(servers: Iterable[IpAddress | str]) -> tuple[IpNetwork, ...]:
    """Return where servers are: anywhere, where one is known by its name alone."""
    known = [server for server in servers if not isinstance(server, str)]
    return _networks(known) if len(known) == len(tuple(servers)) else _ANYWHERE


def _networks(addresses: Iterable[IpAddress]) -> tuple[IpNetwork, ...]:
    return tuple(_network(address) for address in addresses)


@cache
def _network(address: IpAddress) -> IpNetwork:
    return ip_network(address)
