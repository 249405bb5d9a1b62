"""Addresses, links, names, certificates, and the way in by SSH."""

from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from fhirstack.model.base import IpAddress
from fhirstack.model.host import Role
from fhirstack.model.site import Environment, Site
from fhirstack.page.checks.registry import check
from fhirstack.page.matrix import matrix
from fhirstack.page.results import Finding, failed, judge, ok, skipped
from fhirstack.page.sizes import link

_EXAMPLE_NETWORKS = tuple(
    ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)
"""RFC 5737 and RFC 3849: for documents alone."""
_EXAMPLE_DOMAINS = ("example.org", "example.com", "example.net", "example", "invalid")
"""RFC 2606."""


@check("network.public-address")
def public_address(_: Site, environment: Environment) -> Finding:
    """Check that the address is one of the internet, and no inner host's."""
    address = environment.network.public_address
    problems = []
    if not address.is_global and not _is_example(address):
        problems.append(f"{address} is not a public address")
    problems += [
        f"{address} is the address of {host.name}"
        for host in environment.hosts
        if host.address == address and host.role is not Role.LOAD_BALANCER
    ]
    return judge(problems, f"declared: {address} on the load balancer")


@check("network.example-values")
def example_values(_: Site, environment: Environment) -> Finding:
    """Check that no value is one that exists for documents alone."""
    found = list(_examples(environment))
    return failed(f"examples: {', '.join(found)}") if found else ok("no value of an example")


@check("network.cluster-network")
def cluster_network(_: Site, environment: Environment) -> Finding:
    """Check that every host's address lies in the cluster's networks, which are private ones."""
    networks = environment.network.inner_networks
    shown = ", ".join(str(n) for n in networks if n != environment.network.cluster_network6)
    problems = [
        f"{host.name} ({address}) lies outside of {shown}"
        for host in environment.hosts
        for address in (host.address, *host.further_addresses)
        if not any(address in network for network in networks)
    ]
    problems += [f"{n} is not a private network" for n in networks if not n.is_private]
    return judge(problems, f"{len(environment.hosts)} addresses in {shown}")


@check("network.cluster-ranges")
def cluster_ranges(_: Site, environment: Environment) -> Finding:
    """Check that the cluster network is apart from the addresses of pods and services."""
    around = environment.network
    pods, services = around.pod_network, around.service_network
    problems = [
        f"{network} overlaps with {kind} ({taken})"
        for network in around.inner_networks
        for kind, taken in (("pods", pods), ("services", services))
        if network.overlaps(taken)
    ]
    if pods.overlaps(services):
        problems.append(f"the networks of pods ({pods}) and services ({services}) overlap")
    problems += [
        f"{address} ({what}) lies in the network of {kind} ({taken})"
        for kind, taken in (("pods", pods), ("services", services))
        for what, addresses in _around(environment)
        for address in addresses
        if not isinstance(address, str) and address in taken
    ]
    return judge(problems, f"{around.cluster_network} beside {pods} and {services}")


def _around(environment: Environment) -> Iterator[tuple[str, tuple[IpAddress | str, ...]]]:
    """Yield what hosts must reach: an address of the cluster's own would hide it from pods."""
    network = environment.network
    yield "a host", tuple(address for host in environment.hosts for address in host.addresses)
    yield "the proxy", (network.proxy.address,) if network.proxy else ()
    yield "a resolver", network.resolvers
    yield "a time server", network.time_servers
    yield "a mail server", network.mail_servers
    yield "monitoring", environment.monitoring.addresses


@check("network.link-speed")
def link_speed(_: Site, environment: Environment) -> Finding:
    """Check that the declared link is as fast as the page's."""
    network, least = environment.network, link()
    speeds = (
        ("upstream", network.upstream_mbit, least.upstream),
        ("downstream", network.downstream_mbit, least.downstream),
    )
    problems = [
        f"{name} {speed:g} Mb/s, at least {needed:g} are needed"
        for name, speed, needed in speeds
        if speed < needed
    ]
    declared = ", ".join(f"{name} {speed:g} Mb/s" for name, speed, _ in speeds)
    return judge(problems, f"declared: {declared}")


@check("network.internet-during-setup")
def internet_during_setup(_: Site, environment: Environment) -> Finding:
    """Check that the hosts have internet while they are set up."""
    if environment.network.internet_during_setup:
        return ok("declared: yes")
    return failed("declared: no; a bundle can stand in for it")


@check("network.repositories")
def repositories(_: Site, environment: Environment) -> Finding:
    """Check that the hosts reach their distribution's repositories."""
    if environment.network.distribution_repositories:
        return ok("declared: yes")
    return failed("declared: no; a bundle can stand in for them")


@check("dns.distinct")
def distinct_names(_: Site, environment: Environment) -> Finding:
    """Check that every web-facing service has a name of its own."""
    counted = Counter(environment.dns_names.values())
    problems = [f"{name} is of {count} services" for name, count in counted.items() if count > 1]
    return judge(problems, ", ".join(counted))


@check("tls.issuer")
def tls_issuer(_: Site, environment: Environment) -> Finding:
    """Check that certificates come from Let's Encrypt, or the site specifies otherwise."""
    issuer = environment.tls.issuer
    if issuer == "local":
        return failed("`local` is for the local stack: no phone or browser trusts it")
    return ok("Let's Encrypt" if issuer == "letsencrypt" else "the site provides certificates")


@check("tls.provided")
def tls_provided(_: Site, environment: Environment) -> Finding:
    """Check that where Let's Encrypt is not used, the site says where certificates lie."""
    tls = environment.tls
    if tls.issuer == "letsencrypt":
        return skipped("not needed: Let's Encrypt is used")
    return ok(f"declared: in {tls.directory}") if tls.directory else failed("no directory is named")


@check("ssh.bastion")
def bastion(_: Site, environment: Environment) -> Finding:
    """Check that the bastion is a server of its own and is let in to the load balancer."""
    found = environment.network.bastion
    if found is None:
        networks = ", ".join(map(str, environment.network.administrators))
        return failed(f"there is none: every host is reached from {networks} itself")
    address = found.address
    problems = [
        f"{address} is {host.name} itself" for host in environment.hosts if host.address == address
    ]
    rules = matrix(environment)
    problems += [
        f"no flow lets {address} in to {host.name}"
        for host in environment.hosts_of(Role.LOAD_BALANCER)
        if not rules.allowed(address, host.address, "tcp", environment.ssh_port(host))
    ]
    return judge(problems, f"declared: {address}")


@check("ssh.load-balancer")
def ssh_from_load_balancer(_: Site, environment: Environment) -> Finding:
    """Check that the load balancer is let in to all other hosts by SSH."""
    rules = matrix(environment)
    others = [host for host in environment.hosts if host.role is not Role.LOAD_BALANCER]
    problems = [
        f"no flow lets {source.name} in to {host.name}"
        for source in environment.hosts_of(Role.LOAD_BALANCER)
        for host in others
        if not rules.allowed(source.address, host.address, "tcp", environment.ssh_port(host))
    ]
    ports = sorted({environment.ssh_port(host) for host in others})
    return judge(problems, f"{len(others)} hosts by port {', '.join(map(str, ports))}")


@check("ssh.only-path")
def ssh_only_path(_: Site, environment: Environment) -> Finding:
    """Check that from outside of the environment, the bastion alone is let in by SSH."""
    ports = {host.name: environment.ssh_port(host) for host in environment.hosts}
    problems = [
        f"{flow.source.name} is let in to {flow.destination.name} on port {port}"
        for flow in matrix(environment).flows
        if flow.source.role is None
        and (port := ports.get(flow.destination.name))
        and flow.admits("tcp", port)
        and flow.source.name != "administrators"
        and (flow.source.name, flow.destination.role) != ("bastion", Role.LOAD_BALANCER)
    ]
    if environment.network.bastion is None:
        return judge(problems, "administrators' networks to the hosts, and nothing else")
    return judge(problems, "bastion to load balancer, and nothing else")


def _examples(environment: Environment) -> Iterator[str]:
    network = environment.network
    bastion = (network.bastion.address,) if network.bastion else ()
    addresses = (network.public_address, *bastion, *environment.monitoring.addresses)
    yield from (str(address) for address in addresses if _is_example(address))
    monitoring = environment.monitoring
    names = (environment.domain, *environment.names.values())
    tools = (monitoring.prometheus, monitoring.graylog, monitoring.sentry, monitoring.grafana)
    for name in dict.fromkeys((*names, *tools)):
        if name and f".{name}".endswith(tuple(f".{domain}" for domain in _EXAMPLE_DOMAINS)):
            yield name


def _is_example(address: IpAddress) -> bool:
    return any(ip_address(address) in network for network in _EXAMPLE_NETWORKS)
