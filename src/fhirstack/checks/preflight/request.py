"""What the agent of each host is asked. Pure."""

from typing import Any

from fhirstack.checks.preflight.ports import wanted
from fhirstack.checks.preflight.reach import DEFAULT_TIME_SERVERS, INTERNET
from fhirstack.checks.preflight.storage import used_paths
from fhirstack.checks.preflight.system import modules
from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired import postgresql, redis
from fhirstack.planes.hosts.resources import Resource


def places(host: Host) -> tuple[Resource, ...]:
    """Return what may be somebody else's on a host that was used before."""
    if host.role is not Role.DATABASE:
        return ()
    return (*postgresql.whose(host), redis.whose())


def request(environment: Environment, host: Host) -> dict[str, Any]:
    """Return the request for the facts of a host, as the agent's ``facts`` module takes it."""
    network = environment.network
    paths = ["/", *used_paths(host.role)]
    if environment.backups:
        paths.append(environment.backups.path)
    names = list(dict.fromkeys(environment.dns_names.values()))
    return {
        "mode": "facts",
        "paths": paths,
        "modules": list(modules(environment, host.role)),
        "ports": [[row.protocol, row.first, row.last] for row in wanted(environment, host.role)],
        "environment": environment.name,
        "places": [place.as_dict() for place in places(host)],
        "urls": list(INTERNET),
        "repositories": True,
        "proxy": network.proxy.url if network.proxy else None,
        "names": names if host.role is Role.LOAD_BALANCER else [],
        "question": names[0] if names else environment.domain,
        "resolvers": [str(address) for address in network.resolvers],
        "time_servers": [str(address) for address in network.time_servers]
        or list(DEFAULT_TIME_SERVERS),
    }
