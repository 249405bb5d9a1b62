"""The built-in environment ``local``: all services on this machine."""

from ipaddress import ip_address, ip_network

from fhirstack.model.site import (
    Analytics,
    Application,
    Bastion,
    Edge,
    Environment,
    FhirWeb,
    Host,
    Kind,
    Network,
    Role,
    Tls,
    WebService,
)

CORE: tuple[WebService, ...] = ("fhir", "keycloak", "web")
ANALYTICS: tuple[WebService, ...] = ("superset", "airbyte")
_APPLICATION = Application()
_FHIR_WEB = FhirWeb()


def local_environment(
    name: str,
    *,
    https_port: int,
    http_port: int,
    application: Application = _APPLICATION,
    analytics: bool = True,
    fhir_web: FhirWeb = _FHIR_WEB,
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
        services=CORE + ANALYTICS if analytics else CORE,
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
        fhir_web=fhir_web,
        # A demonstration has few people: with a larger group its dashboards were empty.
        analytics=Analytics(smallest_group=1),
        edge=Edge(https_port=https_port, http_port=http_port),
    )
