"""Which DNS servers a host asks."""

from fhirstack.model.host import Host
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.inputs import Inputs
from fhirstack.planes.hosts.resources import Resolvers, Resource


def resolvers(environment: Environment, _: Host, __: Inputs) -> tuple[Resource, ...]:
    """Return the site's resolvers: the firewall closes the way to all others.

    Without any in the site, every one may be asked, and the host's own stay.
    """
    servers = tuple(str(address) for address in environment.network.resolvers)
    return (Resolvers(servers=servers),) if servers else ()
