"""The lab's networks and hosts: which host has which interface in which zone. Pure."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Literal

from fhirstack_lab.places import PREFIX
from fhirstack_lab.site import HostLine

ROUTER = f"{PREFIX}-net"
CONTROLLER = f"{PREFIX}-controller"
BASTION_ADDRESS = "198.51.100.7"
CONTROLLER_ADDRESS = "198.51.100.50"
RESOLVER, TIME_SERVER, MIRROR = "203.0.113.53", "203.0.113.123", "203.0.113.80"
MIRROR_NAME = "deb.lab.test"

Kind = Literal["site", "bastion", "internet", "monitoring"]


@dataclass(frozen=True)
class Zone:
    """One network behind the router, which has the address 1 in it."""

    name: str
    network: str
    network6: str

    def pair(self, number: int) -> tuple[str, str]:
        """Return the IPv4 and the IPv6 address of one number; both show the same digits."""
        four = ip_network(self.network)
        prefix6 = self.network6.partition("/")[0]
        return str(four[number]), str(IPv6Address(f"{prefix6}{number}"))

    def of(self, address: str) -> tuple[str, str]:
        """Return an IPv4 address of this zone with its IPv6 sister."""
        return self.pair(int(IPv4Address(address)) - int(ip_network(self.network).network_address))


CLUSTER = Zone("cluster", "10.77.0.0/24", "fd77::/64")
INTERNET = Zone("internet", "203.0.113.0/24", "2001:db8:113::/64")
ADMINISTRATORS = Zone("admin", "198.51.100.0/24", "2001:db8:51::/64")
MONITORING = Zone("monitoring", "192.0.2.0/24", "2001:db8:2::/64")
ZONES = (CLUSTER, INTERNET, ADMINISTRATORS, MONITORING)


@dataclass(frozen=True)
class Interface:
    """One interface of a host: its name, its zone, its addresses, the first one its own."""

    name: str
    zone: Zone
    addresses: tuple[str, ...]
    default_route: bool


@dataclass(frozen=True)
class Host:
    """One host of the lab. Sizes are in bytes; `number` makes names of links and MACs unique."""

    name: str
    number: int
    interfaces: tuple[Interface, ...]
    cpu: int
    memory: int
    disk: int
    kind: Kind = "site"
    external_storage: int | None = None
    ports: tuple[int, ...] = field(default=(22,))

    @property
    def namespace(self) -> str:
        """The name of its network namespace."""
        return f"{PREFIX}-{self.name}"

    @property
    def address(self) -> str:
        """The IPv4 address at which SSH reaches it: its last interface's first one."""
        return self.interfaces[-1].addresses[0]


def lab_hosts(lines: list[HostLine], public_address: str) -> list[Host]:
    """Return all hosts: the lab's own three, then the site's in the order of the file."""
    own = [
        _own("bastion", 1, ADMINISTRATORS, [BASTION_ADDRESS], ports=(22,)),
        _own(
            "internet",
            2,
            INTERNET,
            ["203.0.113.200", RESOLVER, TIME_SERVER, MIRROR],
            ports=(22, 53, 80, 443),
        ),
        _own("monitoring", 3, MONITORING, ["192.0.2.10"], ports=(22, 443, 12201)),
    ]
    return own + [_of_site(line, 4 + i, public_address) for i, line in enumerate(lines)]


def _own(name: Kind, number: int, zone: Zone, addresses: list[str], ports: tuple[int, ...]) -> Host:
    both = tuple(one for address in addresses for one in zone.of(address))
    interface = Interface("eth0", zone, both, default_route=True)
    return Host(name, number, (interface,), 2, 2 * 10**9, 20 * 10**9, kind=name, ports=ports)


def _of_site(line: HostLine, number: int, public_address: str) -> Host:
    balancer = line.role == "load-balancer"
    inner = Interface("eth0", CLUSTER, CLUSTER.of(line.address), default_route=not balancer)
    outer = Interface("eth1", INTERNET, INTERNET.of(public_address), default_route=True)
    return Host(
        line.name,
        number,
        (inner, outer) if balancer else (inner,),
        line.cpu,
        line.memory,
        line.disk,
        external_storage=line.external_storage,
    )
