"""Databases and backups."""

from ipaddress import ip_address

from fhirstack.model.host import Role
from fhirstack.model.site import Environment, Site
from fhirstack.model.types import format_size
from fhirstack.page.checks.registry import check
from fhirstack.page.database import budget
from fhirstack.page.flows import off_site_host
from fhirstack.page.results import Finding, failed, judge, ok, skipped
from fhirstack.page.sizes import enough, machine
from fhirstack.services.postgresql import RESERVED_CONNECTIONS


@check("storage.external")
def external_storage(_: Site, environment: Environment) -> Finding:
    """Check that the NFS server has the page's external storage."""
    needed = machine(Role.NFS).external_storage or 0
    found = sum(host.external_storage or 0 for host in environment.hosts_of(Role.NFS))
    problems = (
        [f"{format_size(found) if found else 'none'}, {format_size(needed)} are recommended"]
        if not enough(found, needed)
        else []
    )
    return judge(problems, f"declared: {format_size(found)}" if found else "")


@check("backup.path")
def backup_path(_: Site, environment: Environment) -> Finding:
    """Check that the site says where backups lie on the NFS server."""
    if environment.backups:
        return ok(f"declared: {environment.backups.path}")
    return failed("the site has no `backups`")


@check("backup.off-site")
@check("backup.off-site-production")
def off_site(_: Site, environment: Environment) -> Finding:
    """Check that the site names an off-site store."""
    path = environment.backups.offsite if environment.backups else None
    return ok(f"declared: {path}") if path else failed("the site has no `backups.offsite`")


@check("backup.off-site-elsewhere")
def off_site_elsewhere(site: Site, environment: Environment) -> Finding:
    """Check that the off-site store is no host of the site and not in its networks."""
    path = environment.backups.offsite if environment.backups else None
    if not path:
        return skipped("the site has no `backups.offsite`")
    host = off_site_host(environment)
    problems = [
        f"{host} is of {item.name}"
        for item in site.environments.values()
        if host and _belongs(host, item)
    ]
    if path.startswith("/"):
        problems.append(f"{path} is a path on the host itself")
    return judge(problems, f"declared: {path}")


@check("database.connections")
def connections(_: Site, environment: Environment) -> Finding:
    """Check that the services ask for no more connections than the database server gives."""
    found = budget(environment)
    asked = ", ".join(f"{pool.name} {pool.total}" for pool in found.pools)
    evidence = f"{found.asked} of {found.max_connections}: {asked}, reserve {RESERVED_CONNECTIONS}"
    return judge([] if found.fits else [evidence], evidence)


def _belongs(host: str, environment: Environment) -> bool:
    """Whether a host name or address is of an environment."""
    names = {item.name for item in environment.hosts} | set(environment.dns_names.values())
    if host in names:
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    network = environment.network
    return address in network.cluster_network or address == network.public_address
