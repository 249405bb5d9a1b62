"""The site: what a partner declares, as frozen types.

One value has one source. Whatever follows from another value (names from the domain, addresses
from names) is a method here, never a second field.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from fhirstack.model.accepted import Acceptance
from fhirstack.model.access import Access, Administrator
from fhirstack.model.base import IpAddress, IpNetwork, Model
from fhirstack.model.host import (
    LATEST_UBUNTU_LTS,
    Bastion,
    Host,
    Network,
    OperatingSystem,
    Role,
    VantagePoint,
)
from fhirstack.model.operation import Backups, Edge, Monitoring, Storage, Tls
from fhirstack.model.programme import Analytics, Application, FhirServer, FhirWeb
from fhirstack.model.realm import (
    AndroidClient,
    Client,
    Clients,
    PipelinesClient,
    Realm,
    SupersetClient,
    Tokens,
    WebClient,
)
from fhirstack.model.types import DnsName, Name

__all__ = [
    "LATEST_UBUNTU_LTS",
    "Acceptance",
    "Access",
    "Administrator",
    "Analytics",
    "AndroidClient",
    "Application",
    "Backups",
    "Bastion",
    "Client",
    "Clients",
    "Deviation",
    "Edge",
    "Environment",
    "FhirServer",
    "FhirWeb",
    "Host",
    "IpAddress",
    "IpNetwork",
    "Kind",
    "Model",
    "Monitoring",
    "Network",
    "OperatingSystem",
    "PipelinesClient",
    "Realm",
    "Role",
    "Site",
    "Storage",
    "SupersetClient",
    "Tls",
    "Tokens",
    "VantagePoint",
    "WebClient",
    "WebService",
]


class Kind(StrEnum):
    """The page's three environments, and this machine."""

    STAGING = "staging"
    PREVIEW = "preview"
    PRODUCTION = "production"
    LOCAL = "local"


class Deviation(Model):
    """A requirement that the site knowingly does not meet."""

    requirement: str = Field(
        min_length=1, description="Its id, as `check` shows it", examples=["host.os.ubuntu"]
    )
    reason: str = Field(
        min_length=10,
        description="Why that is accepted; told at every check",
        examples=["the ministry's data centre offers Debian only"],
    )


WebService = Literal["fhir", "keycloak", "web", "superset", "airbyte"]


class Environment(Model):
    """One environment: everything in it is its own."""

    name: Name = Field(description="The environment's name: its key in the file")
    kind: Kind = Field(
        description="Which of the page's environments it is", examples=["production"]
    )
    domain: DnsName = Field(
        description="The services' DNS names end in it", examples=["staging.example.org"]
    )
    names: dict[WebService, DnsName] = Field(
        default={}, description="DNS names other than <service>.<domain>"
    )
    services: Annotated[tuple[WebService, ...], Field(min_length=1)] = Field(
        default=("fhir", "keycloak", "web", "superset", "airbyte"),
        description="The web-facing services that run here",
    )
    hosts: Annotated[tuple[Host, ...], Field(min_length=1)] = Field(
        description="The machines", examples=["[{name: worker-1, role: worker, …}]"]
    )
    network: Network = Field(
        description="What lies around and between the hosts",
        examples=["{public_address: 203.0.113.10, cluster_network: 10.10.0.0/24, …}"],
    )
    access: Access = Field(default=Access(), description="How the tool and people get in by SSH")
    tls: Tls = Field(default=Tls(), description="Where certificates come from")
    realm: Realm = Field(default=Realm(), description="The programme's Keycloak realm")
    application: Application = Field(default=Application(), description="The OpenSRP application")
    fhir_server: FhirServer = Field(default=FhirServer(), description="The FHIR server's settings")
    fhir_web: FhirWeb = Field(default=FhirWeb(), description="Where FHIR Web comes from")
    analytics: Analytics = Field(
        default=Analytics(), description="From the FHIR store to dashboards"
    )
    edge: Edge = Field(default=Edge(), description="Limits of the public entry")
    backups: Backups | None = Field(default=None, description="Where backups go")
    storage: Storage = Field(default=Storage(), description="How the NFS server shares storage")
    monitoring: Monitoring = Field(
        default=Monitoring(), description="Monitoring on other infrastructure"
    )

    deviations: tuple[Deviation, ...] = Field(
        default=(), description="Requirements that are knowingly not met: warnings, not failures"
    )

    accepted: tuple[Acceptance, ...] = Field(
        default=(), description="What others made on hosts, and may stay: `drift` is silent on it"
    )

    def deviates(self, requirement: str) -> str | None:
        """Return why the site accepts that a requirement is not met; None where it does not."""
        return next((d.reason for d in self.deviations if d.requirement == requirement), None)

    def dns_name(self, service: WebService) -> str:
        """Return the DNS name of a web-facing service."""
        return self.names.get(service) or f"{service}.{self.domain}"

    @property
    def dns_names(self) -> dict[WebService, str]:
        """The DNS name of every web-facing service that runs here.

        Airbyte has pages, and a name, only where its platform runs.
        """
        return {
            service: self.dns_name(service)
            for service in self.services
            if service != "airbyte" or self.analytics.airbyte == "platform"
        }

    def runs(self, service: WebService) -> bool:
        """Tell whether a service is among those of this environment."""
        return service in self.services

    def url(self, service: WebService) -> str:
        """Return the public base address of a web-facing service, with no slash at the end."""
        port = "" if self.edge.https_port == 443 else f":{self.edge.https_port}"
        return f"https://{self.dns_name(service)}{port}"

    def hosts_of(self, role: Role) -> tuple[Host, ...]:
        """Return the hosts of one role, in the order of the site."""
        return tuple(host for host in self.hosts if host.role is role)

    def ssh_port(self, host: Host) -> int:
        """Return the port of a host's sshd."""
        return host.ssh_port or self.access.port

    @property
    def internal_domain(self) -> str:
        """The domain of the hosts' own names; ``.internal`` is kept for such use by ICANN."""
        return f"{self.name}.internal"

    def internal_name(self, host: Host) -> str:
        """Return a host's name inside of the environment. The hosts know it by /etc/hosts."""
        return f"{host.name}.{self.internal_domain}"

    @property
    def cluster_api(self) -> str:
        """The name of the cluster's API, which the load balancer hands on to primary nodes."""
        return f"api.{self.internal_domain}"

    @property
    def keycloak_url(self) -> str:
        """Keycloak's public base. OpenSRP's apps expect the path /auth (reference: KC >= 17)."""
        return f"{self.url('keycloak')}/auth"

    @property
    def issuer(self) -> str:
        """The ``iss`` of every token of the programme's realm."""
        return f"{self.keycloak_url}/realms/{self.realm.name}"

    @property
    def fhir_base(self) -> str:
        """The public FHIR base that apps use: the gateway, never the FHIR server."""
        return f"{self.url('fhir')}/fhir"

    @property
    def secrets_directory(self) -> str:
        """Where the environment keeps its own generated secrets, beside the site file."""
        return f"secrets/{self.name}"

    @property
    def is_production(self) -> bool:
        """Whether the page's rules for production hold here."""
        return self.kind is Kind.PRODUCTION


class Site(Model):
    """A programme: its environments."""

    programme: str = Field(
        min_length=1, description="The programme's name, for people", examples=["Child health"]
    )
    environments: Annotated[dict[Name, Environment], Field(min_length=1)] = Field(
        description="The environments by name"
    )
