"""Who may reach a port of a host: taken from the firewall matrix, so that both say the same."""

from ipaddress import ip_network

from fhirstack.model.base import IpNetwork
from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.page.matrix import matrix


def clients(
    environment: Environment, host: Host, port: int, roles: tuple[Role, ...] = tuple(Role)
) -> tuple[IpNetwork, ...]:
    """Return the addresses of the hosts that the matrix lets in to a TCP port, IPv4 first.

    ``roles``: of these alone.
    """
    found = {
        ip_network(network)
        for flow in matrix(environment).incoming(host.name)
        if flow.source.role in roles and flow.protocol == "tcp" and flow.admits("tcp", port)
        for network in flow.source.networks
    }
    return tuple(sorted(found, key=lambda item: (item.version, item.network_address.packed)))
