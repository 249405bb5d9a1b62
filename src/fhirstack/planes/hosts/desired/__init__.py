"""What each host is to have, as typed resources: pure functions of the site and its inputs."""

from fhirstack.model.host import Host
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.around import strangers
from fhirstack.planes.hosts.desired.inputs import Certificate, Inputs, edge_purpose
from fhirstack.planes.hosts.desired.left import left_on
from fhirstack.planes.hosts.desired.needs import needs
from fhirstack.planes.hosts.resources import Resource

__all__ = ["Certificate", "Inputs", "desired", "edge_purpose"]


def desired(environment: Environment, host: Host, inputs: Inputs) -> tuple[Resource, ...]:
    """Return everything that a host is to have, in the order in which it is put in place.

    Raises UsageError for an operating system of which the packages are not known, KeyError for a
    secret or certificate that ``inputs`` does not hold.
    """
    found = tuple(
        resource for concern in needs(host.role) for resource in concern(environment, host, inputs)
    )
    return (*found, left_on(environment, host), strangers(environment, found))
