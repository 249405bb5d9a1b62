"""The page's services, and monitoring on other infrastructure."""

from collections.abc import Iterator

from fhirstack.model.host import Role
from fhirstack.model.site import Environment, Site
from fhirstack.page.checks.registry import Check, check
from fhirstack.page.matrix import matrix
from fhirstack.page.requirements import Requirement, requirements
from fhirstack.page.results import Finding, failed, judge, ok, skipped

_TOOLS = ("sentry", "prometheus", "grafana", "graylog")


def _declared(requirement: Requirement) -> Check:
    def declared(_: Site, environment: Environment) -> Finding:
        service = requirement.service
        if service is None or service not in environment.services:
            return failed(f"`{service}` is not among the services")
        return ok(f"`{service}` is among the services")

    return declared


def _tool(name: str) -> None:
    @check(f"monitoring.{name}")
    def tool(_: Site, environment: Environment) -> Finding:
        value = getattr(environment.monitoring, name)
        if not value:
            return failed(f"the site names no {name}")
        open_way = name == "graylog" and not environment.monitoring.graylog_tls
        return ok(f"declared: {value}" + (", which logs reach without TLS" if open_way else ""))


for _requirement in requirements():
    if _requirement.service:
        check(_requirement.id)(_declared(_requirement))
for _each in _TOOLS:
    _tool(_each)


@check("services.needed")
def needed(_: Site, environment: Environment) -> Finding:
    """Check that Keycloak and the FHIR gateway run wherever anything does."""
    problems = [
        f"`{service}` is not among the services"
        for service in ("fhir", "keycloak")
        if service not in environment.services
    ]
    return judge(problems, ", ".join(environment.services))


@check("services.placement")
def placement(_: Site, environment: Environment) -> Finding:
    """Check that the analytics node is there and can be a node of the cluster."""
    rules = matrix(environment)
    nodes = environment.hosts_of(Role.ANALYTICS)
    problems = [] if nodes else ["no host has the role analytics"]
    problems += [
        f"{node.name} does not reach {primary.name}"
        for node in nodes
        for primary in environment.hosts_of(Role.PRIMARY)
        if not rules.allowed(node.address, primary.address, "tcp", 6443)
    ]
    return judge(problems, f"{', '.join(node.name for node in nodes)} in the cluster")


@check("monitoring.elsewhere")
def elsewhere(site: Site, environment: Environment) -> Finding:
    """Check that no address or name of monitoring is one of an environment's."""
    monitoring = environment.monitoring
    addresses = [str(address) for address in monitoring.addresses]
    names = [name for tool in _TOOLS if (name := getattr(monitoring, tool))]
    if not addresses and not names:
        return skipped("the site names no monitoring")
    problems = [
        problem for item in site.environments.values() for problem in _near(environment, item)
    ]
    return judge(problems, f"declared: {', '.join((*names, *addresses))}")


@check("monitoring.addresses")
def addresses(_: Site, environment: Environment) -> Finding:
    """Check that the addresses to push to are known, for the firewall."""
    found = environment.monitoring.addresses
    if not found:
        return failed("none: the hosts' firewall keeps the way to monitoring closed")
    return ok(", ".join(str(address) for address in found))


def _near(environment: Environment, other: Environment) -> Iterator[str]:
    """Say which of the environment's monitoring stands on infrastructure of ``other``."""
    monitoring = environment.monitoring
    for address in monitoring.addresses:
        hosts = [host.name for host in other.hosts if host.address == address]
        if hosts:
            yield f"{address} is {hosts[0]} of {other.name}"
        elif address == other.network.public_address:
            yield f"{address} is the public address of {other.name}"
        elif address in other.network.cluster_network:
            yield f"{address} lies in the cluster network of {other.name}"
    for tool in _TOOLS:
        name = getattr(monitoring, tool)
        if name in other.dns_names.values():
            yield f"{name} ({tool}) is a service of {other.name}"
