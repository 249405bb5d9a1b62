"""The built-in environment ``local``: all services on this machine."""

from ipaddress import ip_address, ip_network

from fhirstack.model.site import (
    Application,
    Bastion,
    Edge,
    Environment,
    Host,
    Kind,
    Network,
    Role,
    Tls,
)

_APPLICATION = Application()


def local_environment(
    name: str, *, https_port: int, http_port: int, application: Application = _APPLICATION
) -> Environment:
    """Return the environment of the local stack ``name``.

    Names end in ``.localhost``, which RFC 6761 keeps for loopback: no DNS server and no edit of
    ``/etc/hosts`` is needed.
    """
    loopback = ip_address("127.0.0.1")
    return Environment(
        name=name,
        kind=Kind.LOCAL,
        domain=f"{name}.localhost",
        services=("fhir", "keycloak"),
        hosts=(
            Host(
                name="this-machine",
                role=Role.WORKER,
                address=loopback,
                cpu=2,
                memory=4 * 10**9,
                disk=10 * 10**9,
            ),
        ),
        network=Network(
            public_address=loopback,
            cluster_network=ip_network("127.0.0.0/8"),
            upstream_mbit=1000,
            downstream_mbit=1000,
            bastion=Bastion(address=loopback),
        ),
        tls=Tls(issuer="local"),
        application=application,
        edge=Edge(https_port=https_port, http_port=http_port),
    )
