"""The host's own firewall: what the matrix lets through, and what a host cannot do without.

Rules are data first, so that they can be judged without a kernel; then text for nft. The table is
``inet fhirstack``: those of Kubernetes stay beside it, and a packet must pass all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import Literal

from fhirstack.model.base import IpAddress, IpNetwork
from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.page.flows import Endpoint, HostFlow, port_range
from fhirstack.page.matrix import matrix
from fhirstack.planes.hosts.desired.base import CLUSTER_ROLES
from fhirstack.planes.hosts.desired.inputs import Inputs
from fhirstack.planes.hosts.resources import Nftables, Package, Resource, Ruleset, Service

TABLE = "fhirstack"
_MOST_COMMENT = 120
"""Bytes; nft takes 128."""
_NODE_PORTS = (30000, 32767)

_OTHER_FIREWALLS = ("firewalld", "netfilter-persistent")
_OF_CLUSTER = ("ip kube-proxy", "ip6 kube-proxy")
"""kube-proxy's own tables, in its mode nftables."""
_CHAINS_OF_CLUSTER = ("KUBE-", "CILIUM_", "OLD_CILIUM_", "CNI-")
"""Of the kubelet and kube-proxy, of Cilium, and of the plugins of CNI (port mappings, masquerade),
in the tables that all programs of iptables share."""

Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a host accepts from peers, or opens to them."""

    direction: Direction
    peers: str
    """The name of the peers' set; empty for everybody."""
    networks: tuple[IpNetwork, ...]
    """The peers' addresses; none for everybody."""
    protocol: str
    ports: tuple[str, ...]
    requirements: tuple[str, ...]

    def admits(self, direction: Direction, peer: IpAddress, protocol: str, port: int) -> bool:
        """Whether a new connection with ``peer`` passes. ``port``: the destination's."""
        return (
            direction == self.direction
            and self.protocol in {"any", protocol}
            and (not self.networks or any(peer in network for network in self.networks))
            and (
                not self.ports
                or any(first <= port <= last for first, last in map(port_range, self.ports))
            )
        )


def firewall(environment: Environment, host: Host, _: Inputs) -> tuple[Resource, ...]:
    """Return the host's table. Another firewall beside it would be a second source of rules."""
    return (
        Package(name="nftables"),
        Package(name="ufw", present=False),
        Nftables(table=TABLE, ruleset=render(environment, host), needs=("package:nftables",)),
        # Never restarted: that would take the tables of others.
        Service(name="nftables"),
        # Not there, as a rule; what is masked cannot become a second source of rules either.
        *(Service(name=name, masked=True) for name in _OTHER_FIREWALLS),
        Ruleset(
            tables=(f"inet {TABLE}", *(_OF_CLUSTER if host.role in CLUSTER_ROLES else ())),
            chains=_CHAINS_OF_CLUSTER if host.role in CLUSTER_ROLES else (),
            needs=("package:nftables",),
        ),
    )


def rules(environment: Environment, host: Host) -> tuple[Rule, ...]:
    """Return the matrix as the rules of one host: few, as peers with the same ports are one."""
    flows = matrix(environment)
    both: tuple[tuple[Direction, tuple[HostFlow, ...]], ...] = (
        ("in", flows.incoming(host.name)),
        ("out", flows.outgoing(host.name)),
    )
    found = []
    for direction, of_host in both:
        grouped: dict[tuple[str, tuple[str, ...], bool], list[HostFlow]] = {}
        for flow in of_host:
            everybody = _is_everybody(_peer(flow, direction))
            grouped.setdefault((flow.protocol, flow.ports, everybody), []).append(flow)
        for (protocol, ports, everybody), group in grouped.items():
            peers = [_peer(flow, direction) for flow in group]
            networks = {network for peer in peers for network in peer.networks}
            found.append(
                Rule(
                    direction,
                    "" if everybody else _set_name(peers),
                    () if everybody else _in_order(networks),
                    protocol,
                    ports,
                    tuple(dict.fromkeys(name for flow in group for name in flow.requirements)),
                )
            )
    return tuple(found)


def _peer(flow: HostFlow, direction: Direction) -> Endpoint:
    return flow.source if direction == "in" else flow.destination


def _is_everybody(end: Endpoint) -> bool:
    return {(item.version, item.prefixlen) for item in end.networks} >= {(4, 0), (6, 0)}


def _set_name(peers: Iterable[Endpoint]) -> str:
    """Name peers by their roles and zones: a flow takes in all hosts of a role."""
    kinds = dict.fromkeys(str(peer.role or peer.name) for peer in peers)
    if kinds.keys() >= set(Role):
        return "hosts"
    return "_".join(kind.replace("-", "_") for kind in sorted(kinds))


def _in_order(networks: Iterable[IpNetwork]) -> tuple[IpNetwork, ...]:
    return tuple(sorted(networks, key=lambda n: (n.version, n.network_address.packed, n.prefixlen)))


def render(environment: Environment, host: Host) -> str:
    """Return the table's text for nft 1.0 and newer. The same site gives the same text."""
    found = rules(environment, host)
    is_node = host.role in CLUSTER_ROLES
    sets = {rule.peers: rule.networks for rule in found if rule.peers}
    if is_node:
        sets["nodes"] = _in_order(
            ip_network(address)
            for node in environment.hosts
            if node.role in CLUSTER_ROLES
            for address in node.addresses
        )
        sets["pods"] = _in_order(
            (environment.network.pod_network, environment.network.service_network)
        )
    chains = [
        _chain("essentials", _ESSENTIALS),
        _chain(
            "incoming", [line for rule in found if rule.direction == "in" for line in _lines(rule)]
        ),
        _chain(
            "outgoing", [line for rule in found if rule.direction == "out" for line in _lines(rule)]
        ),
    ]
    if is_node:
        chains.append(_chain("translated", [x for rule in found for x in _translated(rule)]))
    chains += [
        _chain("input", _input(is_node), "input"),
        _chain("output", _output(is_node), "output"),
        _chain("forward", _FORWARD if is_node else (), "forward"),
    ]
    body = "\n".join(
        [*(text for name in sorted(sets) for text in _sets(name, sets[name])), *chains]
    )
    return f"table inet {TABLE} {{\n{body}}}\n"


_ESSENTIALS = (
    "icmp type { destination-unreachable, time-exceeded, parameter-problem } accept",
    "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }"
    " accept",
    "ip6 hoplimit 255 icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit,"
    " nd-neighbor-advert } accept",
    "ip6 hoplimit 1 icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done,"
    " mld2-listener-report } accept",
)
"""Without these large packets vanish, and IPv6 finds no neighbour."""
_STATES = "ct state vmap { established : accept, related : accept, invalid : drop }"
_LOG = f'limit rate 5/second burst 20 packets log prefix "{TABLE}-drop " level info'
_FORWARD = (
    _STATES,
    "jump essentials",
    'ip saddr @pods4 ip daddr @pods4 accept comment "between pods"',
    "ct status dnat jump translated",
    # What leaves a pod has the rights of its node.
    "ip saddr @pods4 jump outgoing",
    'ip saddr @nodes4 ip daddr @pods4 accept comment "nodes reach the pods of others"',
    _LOG,
)


def _input(is_node: bool) -> list[str]:
    pods = ['ip saddr @pods4 accept comment "pods reach their node"'] if is_node else []
    return [
        'iifname "lo" accept',
        _STATES,
        "jump essentials",
        'udp sport 67 udp dport 68 accept comment "DHCP"',
        'ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept comment "DHCP"',
        *pods,
        "jump incoming",
        "meta pkttype { broadcast, multicast } drop",
        _LOG,
    ]


def _output(is_node: bool) -> list[str]:
    pods = ['ip daddr @pods4 accept comment "a node reaches pods and services"'] if is_node else []
    return [
        'oifname "lo" accept',
        _STATES,
        "jump essentials",
        'udp sport 68 udp dport 67 accept comment "DHCP"',
        'ip6 daddr { fe80::/10, ff02::1:2 } udp sport 546 udp dport 547 accept comment "DHCP"',
        *pods,
        # The kernel follows connections only once there are rules: to what began before, such as
        # the connection over which they came, it would send nothing more.
        'tcp flags & syn == 0x0 accept comment "replies on older connections"',
        "jump outgoing",
        _LOG,
    ]


def _chain(name: str, lines: Iterable[str], hook: str = "") -> str:
    head = [f"type filter hook {hook} priority filter; policy drop;"] if hook else []
    text = "".join(f"\t\t{line}\n" for line in (*head, *lines))
    return f"\tchain {name} {{\n{text}\t}}\n"


def _sets(name: str, networks: Iterable[IpNetwork]) -> list[str]:
    texts = []
    for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
        found = [item for item in networks if item.version == version]
        if not found:
            continue
        ranges = any(item.prefixlen < item.max_prefixlen for item in found)
        flags = "\t\tflags interval\n" if ranges else ""
        names = [str(n if n.prefixlen < n.max_prefixlen else n.network_address) for n in found]
        elements = f"\t\telements = {{ {', '.join(names)} }}\n"
        texts.append(f"\tset {name}{version} {{\n\t\ttype {kind}\n{flags}{elements}\t}}\n")
    return texts


def _lines(rule: Rule) -> list[str]:
    """Return a rule's text: one line a family of its peers, and one a family of ICMP."""
    way = "saddr" if rule.direction == "in" else "daddr"
    lines = []
    for version in _families(rule):
        family = "ip" if version == 4 else "ip6"
        words = [f"{family} {way} @{rule.peers}{version}"] if rule.peers else []
        if rule.protocol == "icmp":
            # By number: a bare host has no /etc/protocols.
            words.append(f"meta l4proto {1 if version == 4 else 58}")
        elif rule.protocol != "any":
            words.append(
                f"{rule.protocol} dport {_ports(rule.ports)}"
                if rule.ports
                else f"meta l4proto {rule.protocol}"
            )
        lines.append(" ".join([*words, "accept", f'comment "{comment(rule)}"']))
    return lines


def _translated(rule: Rule) -> list[str]:
    """Return a rule as it is for a node port, whose packets are on their way to a pod already.

    They are judged by what they were sent to.
    """
    if rule.direction != "in" or rule.protocol not in {"any", "tcp"} or not rule.peers:
        return []
    first, last = _NODE_PORTS
    if rule.ports and not any(
        low <= last and high >= first for low, high in map(port_range, rule.ports)
    ):
        return []
    ports = f" meta l4proto tcp ct original proto-dst {_ports(rule.ports)}" if rule.ports else ""
    return [f'ip saddr @{rule.peers}4{ports} accept comment "{comment(rule)}"']


def _families(rule: Rule) -> list[int]:
    if not rule.peers:
        return [4, 6] if rule.protocol == "icmp" else [4]
    return sorted({4 if isinstance(item, IPv4Network) else 6 for item in rule.networks})


def _ports(ports: tuple[str, ...]) -> str:
    return ports[0] if len(ports) == 1 else f"{{ {', '.join(ports)} }}"


def comment(rule: Rule) -> str:
    """Return the requirements that ask for a rule, as many as nft has room for."""
    text = ""
    for index, name in enumerate(rule.requirements):
        rest = len(rule.requirements) - index
        if len(text) + len(name) + 5 > _MOST_COMMENT:
            return f"{text} +{rest}"
        text = f"{text} {name}".strip()
    return text
