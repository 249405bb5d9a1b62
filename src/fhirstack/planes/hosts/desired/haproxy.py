"""The load balancer's HAProxy: the public entry, and the cluster's API."""

from fhirstack.model.host import Host
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.acme import acme
from fhirstack.planes.hosts.desired.inputs import Inputs, edge_purpose
from fhirstack.planes.hosts.desired.late import late_addresses
from fhirstack.planes.hosts.resources import Directory, File, Package, Resource, Service
from fhirstack.services import edge

_CONFIGURATION = "/etc/haproxy/haproxy.cfg"


def haproxy(environment: Environment, host: Host, inputs: Inputs) -> tuple[Resource, ...]:
    """Return HAProxy with a certificate for every name that is served."""
    certificates = tuple(
        File(
            path=f"{edge.CERTIFICATES}/{name}.pem",
            content=certificate.chain + certificate.key.reveal(),
            mode="0600",
            secret=True,
            initial=certificate.stands_in,
        )
        for name, certificate in (
            (name, inputs.certificates[edge_purpose(name)])
            for name in sorted(environment.dns_names.values())
        )
    )
    directory = Directory(
        path=edge.CERTIFICATES,
        mode="0700",
        exclusive="*",
        keep=tuple(file.path.rpartition("/")[2] for file in certificates),
    )
    configuration = File(
        path=_CONFIGURATION,
        content=edge.render_for_host(environment),
        validate=("haproxy", "-c", "-f", "{}"),
    )
    # Only here the unit's command line could be another: `-S` with a level, or a second `-f`.
    options = (
        File(
            path="/etc/default/haproxy", content="# Nothing: what HAProxy reads is haproxy.cfg.\n"
        ),
        File(path="/etc/sysconfig/haproxy", content=None),
    )
    read = (directory, *certificates, configuration)
    return (
        Package(name="haproxy"),
        late_addresses(host),
        *read,
        *options,
        Service(
            name="haproxy",
            watch=("package:haproxy", *(file.address for file in options)),
            reload_watch=tuple(resource.address for resource in read),
        ),
        *acme(environment, inputs),
    )
