"""Independent environments: nothing of one is of another."""

from collections.abc import Iterator

from fhirstack.model.site import Environment, Kind, Site
from fhirstack.page.checks.registry import check
from fhirstack.page.matrix import matrix
from fhirstack.page.results import Finding, failed, judge, ok


def _kind(kind: Kind) -> None:
    @check(f"environments.{kind}")
    def of_kind(site: Site, _: Environment) -> Finding:
        names = [name for name, item in site.environments.items() if item.kind is kind]
        return ok(", ".join(names)) if names else failed(f"no environment of the kind {kind}")


for _each in (Kind.STAGING, Kind.PREVIEW, Kind.PRODUCTION):
    _kind(_each)


@check("environments.own-hosts")
def own_hosts(site: Site, environment: Environment) -> Finding:
    """Check that no host name and no address is that of another environment."""
    mine = _hosts(environment)
    problems = [
        f"{value} is also of {other.name}"
        for other in _others(site, environment)
        for value in sorted(mine & _hosts(other))
    ]
    return judge(problems, f"{len(environment.hosts)} hosts, {environment.network.public_address}")


@check("environments.own-names")
def own_names(site: Site, environment: Environment) -> Finding:
    """Check that no DNS name and no token issuer is that of another environment."""
    mine = {*environment.dns_names.values(), environment.issuer}
    problems = [
        f"{value} is also of {other.name}"
        for other in _others(site, environment)
        for value in sorted(mine & {*other.dns_names.values(), other.issuer})
    ]
    return judge(problems, f"issuer {environment.issuer}")


@check("environments.own-network")
def own_network(site: Site, environment: Environment) -> Finding:
    """Check that the cluster network overlaps with no other."""
    mine = environment.network.cluster_network
    problems = [
        f"{mine} overlaps with {other.network.cluster_network} of {other.name}"
        for other in _others(site, environment)
        if mine.overlaps(other.network.cluster_network)
    ]
    return judge(problems, str(mine))


@check("environments.own-secrets")
def own_secrets(site: Site, environment: Environment) -> Finding:
    """Check that the store of generated secrets is that of no other environment."""
    mine = environment.secrets_directory
    problems = [
        f"{mine} is also of {other.name}"
        for other in _others(site, environment)
        if other.secrets_directory == mine
    ]
    return judge(problems, f"store {mine}")


@check("environments.own-backups")
def own_backups(site: Site, environment: Environment) -> Finding:
    """Check that the backup paths name the environment and are those of no other."""
    mine = _backup_paths(environment)
    if not mine:
        return failed("the site has no backup path")
    problems = [
        f"{path} does not name {environment.name}" for path in mine if environment.name not in path
    ]
    problems += [
        f"{path} is also of {other.name}"
        for other in _others(site, environment)
        for path in mine
        if path in _backup_paths(other)
    ]
    return judge(problems, ", ".join(mine))


@check("environments.isolation")
def isolation(site: Site, environment: Environment) -> Finding:
    """Check that no other environment lets a host of this one in, apart from its public entry."""
    others = list(_others(site, environment))
    problems = [
        f"{other.name} lets {host.name} in to {flow.destination.name} as {flow.source.name}"
        for other in others
        for flow in matrix(other).flows
        if flow.source.name != "internet" and flow.destination.role is not None
        for host in environment.hosts
        if flow.source.holds(host.address)
    ]
    return judge(dict.fromkeys(problems), f"let in by none of {len(others)} other environments")


@check("environments.told-apart")
def told_apart(site: Site, environment: Environment) -> Finding:
    """Check that the realm's display name is that of no other environment."""
    mine = environment.realm.display_name
    problems = [
        f'"{mine}" is also shown by {other.name}'
        for other in _others(site, environment)
        if other.realm.display_name == mine
    ]
    return judge(problems, f'"{mine}"')


def _others(site: Site, environment: Environment) -> Iterator[Environment]:
    return (item for item in site.environments.values() if item is not environment)


def _hosts(environment: Environment) -> set[str]:
    names = {host.name for host in environment.hosts}
    addresses = {str(host.address) for host in environment.hosts}
    return {*names, *addresses, str(environment.network.public_address)}


def _backup_paths(environment: Environment) -> list[str]:
    backups = environment.backups
    return [path for path in (backups.path, backups.offsite) if path] if backups else []
