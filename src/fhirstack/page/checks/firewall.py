"""The firewall matrix: every flow that a requirement asks for can be rendered, and no more."""

from ipaddress import ip_address

from fhirstack.model.host import Role
from fhirstack.model.site import Environment, Site
from fhirstack.page.checks.registry import Check, check
from fhirstack.page.flows import (
    OPTIONAL_ZONES,
    HostFlow,
    endpoints,
    host_flows,
    port_range,
)
from fhirstack.page.matrix import Matrix, matrix
from fhirstack.page.requirements import Requirement, requirement, requirements
from fhirstack.page.results import Finding, failed, judge, ok, skipped

_PUBLIC_PORTS = {"80", "443"}
_OUTSIDE = ip_address("192.88.99.1")
"""An address of nobody's (RFC 7526), as a stranger on the internet."""


def _in_matrix(requirement: Requirement) -> Check:
    def in_matrix(_: Site, environment: Environment) -> Finding:
        wanted = host_flows(environment, requirement)
        if not wanted and _is_optional(requirement):
            return skipped("not needed: the site names no such servers")
        problems = [
            f"no host or address stands for {zone}"
            for flow in requirement.flows
            for zone in (flow.source, flow.destination)
            if not endpoints(environment, zone) and zone not in OPTIONAL_ZONES
        ]
        rules = matrix(environment)
        problems += [problem for flow in wanted for problem in _missing(flow, rules)]
        pairs = {(flow.source.name, flow.destination.name) for flow in wanted}
        return judge(dict.fromkeys(problems), _count(len(pairs)))

    return in_matrix


_WEB = "firewall.load-balancer.web"
for _requirement in requirements():
    if _requirement.flows and _requirement.id != _WEB:
        check(_requirement.id)(_in_matrix(_requirement))


@check(_WEB)
def web(site: Site, environment: Environment) -> Finding:
    """Check that the public entry listens on the ports that are open."""
    found = _in_matrix(requirement(_WEB))(site, environment)
    edge = environment.edge
    listening = {str(edge.http_port), str(edge.https_port)}
    if listening != _PUBLIC_PORTS:
        return failed(f"the edge listens on {', '.join(sorted(listening))}")
    return found


@check("firewall.restrictions")
def restrictions(_: Site, environment: Environment) -> Finding:
    """Say whether the partner's firewall stands between the servers."""
    count = len(matrix(environment).flows)
    if environment.network.port_restrictions:
        return ok(f"declared: yes; {count} flows to open")
    return ok("declared: none; the hosts' own firewall keeps to the matrix")


@check("firewall.kubernetes")
def kubernetes(_: Site, environment: Environment) -> Finding:
    """Check that the ports of the cluster are open on all servers that the page lists."""
    rules = matrix(environment)
    listed = (Role.PRIMARY, Role.WORKER, Role.LOAD_BALANCER, Role.DATABASE, Role.NFS)
    problems = [
        f"the matrix lets nobody in to {host.name}"
        for role in listed
        for host in environment.hosts_of(role)
        if not any(flow.destination.name == host.name for flow in rules.flows)
    ]
    primary = environment.hosts_of(Role.PRIMARY)
    problems += [
        f"{source.name} does not reach the API on {host.name}"
        for host in primary
        for source in environment.hosts_of(Role.WORKER)
        if not rules.allowed(source.address, host.address, "tcp", 6443)
    ]
    return judge(problems, f"{len(listed)} roles, {len(rules.flows)} flows")


@check("firewall.ssh-direction")
def ssh_direction(_: Site, environment: Environment) -> Finding:
    """Check that the load balancer opens SSH to the others, and no other host to it."""
    rules = matrix(environment)
    problems = [
        f"{host.name} may open SSH to {balancer.name}"
        for balancer in environment.hosts_of(Role.LOAD_BALANCER)
        for host in environment.hosts
        if host.name != balancer.name
        and rules.allowed(host.address, balancer.address, "tcp", environment.ssh_port(balancer))
    ]
    return judge(
        problems,
        f"{environment.access.port} is the destination's port; no rule names a source port",
    )


@check("firewall.default-deny")
def default_deny(_: Site, environment: Environment) -> Finding:
    """Check that the internet is let in to the load balancer's 80 and 443, and nowhere else."""
    rules = matrix(environment)
    problems = [
        f"{flow.source.name} is let in to {flow.destination.name} on {', '.join(flow.ports)}"
        for flow in rules.flows
        if flow.source.name == "internet"
        and (flow.destination.role is not Role.LOAD_BALANCER or set(flow.ports) - _PUBLIC_PORTS)
    ]
    for host in environment.hosts:
        for port in (environment.ssh_port(host), 5432, 6379, 6443, 2049):
            if rules.allowed(_OUTSIDE, host.address, "tcp", port):
                problems.append(f"a stranger is let in to {host.name} on {port}")
    return judge(problems, f"{len(rules.flows)} flows; from the internet 80 and 443 alone")


@check("firewall.zones")
def zones(_: Site, environment: Environment) -> Finding:
    """Check that no address outside of the environment is also one of its hosts'."""
    network = environment.network
    outside = {
        "the bastion": network.bastion.addresses if network.bastion else (),
        "monitoring": environment.monitoring.addresses,
        "a resolver": network.resolvers,
        "a time server": network.time_servers,
        "a mail server": network.mail_servers,
        "the proxy": (network.proxy.address,) if network.proxy else (),
    }
    problems = [
        f"{address} is {host.name} and also {what}"
        for what, addresses in outside.items()
        for address in addresses
        for host in environment.hosts
        if host.address == address
    ]
    count = sum(len(addresses) for addresses in outside.values())
    return judge(problems, f"{count} addresses outside, none of a host")


def _count(pairs: int) -> str:
    return f"{pairs} pair{'s' if pairs != 1 else ''} of ends in the matrix"


def _is_optional(requirement: Requirement) -> bool:
    """Whether each flow has an end that a site need not have."""
    return all({flow.source, flow.destination} & OPTIONAL_ZONES for flow in requirement.flows)


def _missing(wanted: HostFlow, rules: Matrix) -> list[str]:
    """Say why a wanted flow cannot pass: not in the matrix, or between two kinds of address."""
    versions = [
        {item.version for item in end.networks} for end in (wanted.source, wanted.destination)
    ]
    pair = f"{wanted.source.name} to {wanted.destination.name}"
    if not versions[0] & versions[1]:
        return [f"{pair}: one has IPv4, the other IPv6"]
    source, destination = (end.networks[0][0] for end in (wanted.source, wanted.destination))
    protocol = "tcp" if wanted.protocol == "any" else wanted.protocol
    return [
        f"{pair}: port {port} is not in the matrix"
        for port in (edge for ports in wanted.ports or ("1",) for edge in port_range(ports))
        if not rules.allowed(source, destination, protocol, port) and wanted.ports
    ]
