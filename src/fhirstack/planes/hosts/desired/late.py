"""Services that listen on the host's own address may start before the network gave it one."""

from fhirstack.model.host import Host
from fhirstack.planes.hosts.resources import Sysctl


def late_addresses(host: Host) -> Sysctl:
    """Return the setting that lets a service listen on an address that comes later."""
    values = {"net.ipv4.ip_nonlocal_bind": "1"}
    if any(address.version == 6 for address in host.addresses):
        values["net.ipv6.ip_nonlocal_bind"] = "1"
    return Sysctl(name="60-fhirstack-addresses", values=values)
