"""The router's namespace with a bridge for each zone, and how a host is joined to it."""

from pathlib import Path

from fhirstack_lab.places import PREFIX
from fhirstack_lab.run import run, succeeds, write
from fhirstack_lab.topology import (
    ADMINISTRATORS,
    CONTROLLER,
    CONTROLLER_ADDRESS,
    ROUTER,
    ZONES,
    Host,
    Interface,
    Zone,
)

NAMESPACES = Path("/run/netns")
_CONTROLLER_LINK = "controller"
_ROUTER_SETTINGS = """
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
for file in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e "$file" ] || echo 0 >"$file"; done
"""


def bridge_commands(zone: Zone) -> list[str]:
    """Return the commands of `ip -batch` that make a zone in the router's namespace.

    A bridge without an address of its own has the lowest of its ports: when the host with that one
    is switched off, the others would lose their gateway until they ask for it anew.
    """
    four, six = zone.pair(1)
    mac = f"02:fb:00:01:00:{ZONES.index(zone):02x}"
    return [
        f"link add {zone.name} address {mac} type bridge mcast_snooping 0",
        f"addr add {four}/24 dev {zone.name}",
        f"addr add {six}/64 dev {zone.name} nodad",
        f"link set {zone.name} up",
    ]


def link_name(host: Host, interface: Interface) -> str:
    """Return the name of the router's end of a host's interface."""
    return f"host{host.number}-{interface.name}"


def router_commands(host: Host) -> list[str]:
    """Return the commands that join a host to its zones, to be run in the router's namespace."""
    lines = []
    for index, interface in enumerate(host.interfaces):
        link = link_name(host, interface)
        mac = f"02:fb:00:00:{host.number:02x}:{index:02x}"
        peer = f"peer name {interface.name} address {mac} netns {host.namespace}"
        lines += [
            f"link add {link} type veth {peer}",
            f"link set {link} master {interface.zone.name} up",
        ]
    return lines


def host_commands(host: Host) -> list[str]:
    """Return the commands that give a host its addresses and routes, in its own namespace."""
    lines = ["link set lo up"]
    for interface in host.interfaces:
        lines += interface_commands(interface)
    return lines


def interface_commands(interface: Interface) -> list[str]:
    """Return the commands for one interface. Addresses are usable at once: none is probed for."""
    name = interface.name
    lines = []
    for address in interface.addresses:
        length, option = ("64", " nodad") if ":" in address else ("24", "")
        lines.append(f"addr add {address}/{length} dev {name}{option}")
    lines.append(f"link set {name} up")
    if interface.default_route:
        four, six = interface.zone.pair(1)
        # The source is the interface's own address, not one that it has for a service.
        own4, own6 = interface.addresses[:2]
        lines += [
            f"route add 0.0.0.0/0 via {four} dev {name} src {own4}",
            f"route add ::/0 via {six} dev {name} src {own6}",
        ]
    return lines


def make_router(state: Path) -> None:
    """Make the router and the controller's namespace."""
    for namespace in (ROUTER, CONTROLLER):
        run(["ip", "netns", "add", namespace])
    lines = ["link set lo up"]
    for zone in ZONES:
        lines += bridge_commands(zone)
    lines += [
        f"link add {_CONTROLLER_LINK} type veth peer name eth0 netns {CONTROLLER}",
        f"link set {_CONTROLLER_LINK} master {ADMINISTRATORS.name} up",
    ]
    addresses = ADMINISTRATORS.of(CONTROLLER_ADDRESS)
    interface = Interface("eth0", ADMINISTRATORS, addresses, default_route=True)
    _batch(ROUTER, lines, state / "router.batch")
    controller = ["link set lo up", *interface_commands(interface)]
    _batch(CONTROLLER, controller, state / "controller.batch")
    run(["nsenter", f"--net={NAMESPACES / ROUTER}", "sh", "-ec", _ROUTER_SETTINGS])


def _batch(namespace: str, lines: list[str], file: Path) -> None:
    write(file, "\n".join(lines) + "\n")
    run(["ip", "-n", namespace, "-batch", file])


def write_commands(host: Host, directory: Path) -> None:
    """Write what the host's keeper runs each time before it boots."""
    links = [link_name(host, interface) for interface in host.interfaces]
    write(directory / "links", "\n".join(links) + "\n")
    write(directory / "router.batch", "\n".join(router_commands(host)) + "\n")
    write(directory / "host.batch", "\n".join(host_commands(host)) + "\n")


def namespaces() -> list[str]:
    """Return the lab's network namespaces that exist."""
    found = NAMESPACES.glob(f"{PREFIX}-*") if NAMESPACES.exists() else []
    return sorted(path.name for path in found)


def unwire(host: str, links: list[str]) -> None:
    """Take a host's namespace and links away, as far as they exist."""
    for link in links:
        succeeds(["ip", "-n", ROUTER, "link", "del", link])
    if (NAMESPACES / f"{PREFIX}-{host}").exists():
        remove_namespace(f"{PREFIX}-{host}")


def remove_namespace(name: str) -> None:
    """Remove a namespace, also one that a killed run left as an empty file."""
    if not succeeds(["ip", "netns", "del", name]):
        (NAMESPACES / name).unlink(missing_ok=True)
