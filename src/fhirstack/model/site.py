"""The site: what a partner declares, as frozen types.

One value has one source. Whatever follows from another value (names from the domain, addresses
from names) is a method here, never a second field.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

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
from fhirstack.model.records import WEB_WRITTEN, WRITTEN, WritableType
from fhirstack.model.types import (
    AbsolutePath,
    DnsName,
    Email,
    FhirId,
    Identifier,
    Name,
    Port,
    TimeZone,
)

__all__ = [
    "LATEST_UBUNTU_LTS",
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


class Tls(Model):
    """Where certificates come from."""

    issuer: Literal["letsencrypt", "provided", "local"] = Field(
        default="letsencrypt", description="Who signs; 'local' is for the local stack only"
    )
    email: Email | None = Field(default=None, description="The contact of the ACME account")
    acme_server: str | None = Field(
        default=None,
        pattern=r"^https://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?$",
        description="The directory of another ACME server than Let's Encrypt's",
        examples=["https://acme-staging-v02.api.letsencrypt.org/directory"],
    )
    acme_authority: str | None = Field(
        default=None,
        min_length=1,
        description="A file (PEM) of the authority by which that server is known",
        examples=["certificates/acme.pem"],
    )
    directory: str | None = Field(
        default=None,
        min_length=1,
        description="With 'provided': where certificates and keys lie",
        examples=["certificates/staging"],
    )


class Application(Model):
    """The OpenSRP application that the programme's users run."""

    id: Identifier = Field(default="opensrp", description="fhir_core_app_id")
    sync_strategy: Literal["CareTeam", "Organization", "Location", "RelatedEntityLocation"] = Field(
        default="CareTeam", description="What decides which records a device receives"
    )
    writes: tuple[WritableType, ...] = Field(
        default=WRITTEN,
        description="Resource types that health workers write, beside what they read",
        examples=["[Encounter, Observation, Patient, QuestionnaireResponse, Task]"],
    )
    public_compositions: tuple[Identifier, ...] = Field(
        default=(), description="Ids of the Compositions that the app reads before login"
    )
    public_binaries: tuple[Identifier, ...] = Field(
        default=(), description="Ids of the Binaries that the app reads before login"
    )
    public_parameters: tuple[Identifier, ...] = Field(
        default=(), description="Ids of the Parameters that the app reads before login"
    )


class FhirServer(Model):
    """Settings of the FHIR server that a site may decide."""

    validate_requests: bool = Field(
        default=False, description="Refuse resources that do not fit their profiles"
    )
    delete_expunge: bool = Field(default=False, description="Never in production")
    connection_pool: int = Field(
        default=15, ge=2, le=200, description="Database connections of one FHIR server"
    )


class FhirWeb(Model):
    """Where FHIR Web comes from (at most one of three; it is published as an image), what it shows.

    The words for what it shows are its own settings of v3.3.3 (``docs/env.md`` of its sources).
    """

    image: str | None = Field(
        default=None,
        min_length=1,
        description="An image's reference",
        examples=["opensrp/web:v3.3.3"],
    )
    directory: AbsolutePath | None = Field(
        default=None, description="An unpacked image", examples=["/srv/images/opensrp-web"]
    )
    build: AbsolutePath | None = Field(
        default=None,
        description="A directory with the built server and the built web pages",
        examples=["/srv/fhir-web"],
    )
    root_location: FhirId = Field(
        default="root",
        description="Id of the Location above all others; where there is none its pages offer"
        " to make it",
        examples=["kalanda"],
    )
    commodity_list: FhirId | None = Field(
        default=None,
        description="Id of the List that names the commodities; switches their pages on",
        examples=["commodities"],
    )
    project: Literal["core", "eusm", "giz", "echis"] = Field(
        default="core",
        description="Which of its variants: 'eusm' has service points and their inventory",
    )
    languages: Annotated[
        tuple[Literal["en", "fr", "sw", "ar", "th", "vi"], ...], Field(min_length=1)
    ] = Field(default=("en",), description="What its pages speak; the first unless one chooses")
    writes: tuple[WritableType, ...] = Field(
        default=WEB_WRITTEN,
        description="Records that administrators write in its pages: questionnaires, closed flags",
        examples=["[QuestionnaireResponse]"],
    )

    @property
    def named(self) -> bool:
        """Whether the site says where it comes from."""
        return bool(self.image or self.directory or self.build)

    @model_validator(mode="after")
    def _one(self) -> "FhirWeb":
        named = [name for name in ("image", "directory", "build") if getattr(self, name)]
        if len(named) > 1:
            raise PydanticCustomError(
                "form",
                "not {kind}: write {write}",
                {"kind": f"one place but {len(named)}", "write": f"one of {', '.join(named)}"},
            )
        return self


class Analytics(Model):
    """From the FHIR store to dashboards."""

    airbyte: Literal["runner", "platform"] = Field(
        default="runner",
        description="What runs the connectors: fhirstack's scheduled runner or Airbyte's platform",
    )
    every_minutes: int = Field(
        default=15, ge=1, le=1440, description="How often new data is carried to the warehouse"
    )
    smallest_group: int = Field(
        default=5, ge=1, le=100, description="Dashboards show no group of fewer people"
    )
    time_zone: TimeZone = Field(
        default="UTC",
        description="Of days and of times that a program wrote without a zone: Africa/Nairobi",
    )


class Edge(Model):
    """Limits of the public entry."""

    https_port: Port = Field(default=443, description="Where TLS is served")
    http_port: Port = Field(default=80, description="Redirects to HTTPS, answers ACME")
    max_header_kib: int = Field(
        default=64, ge=16, le=256, description="KiB of request headers; tokens are long"
    )
    max_body_mib: int = Field(default=32, ge=1, le=256, description="MiB of a request's body")
    body_seconds: int = Field(
        default=60,
        ge=5,
        le=120,
        description="Seconds for a request's body, or the first 64 KiB of a longer one, to arrive",
    )
    connections_per_address: int = Field(
        default=1000, ge=10, description="Open connections of one address; phones share addresses"
    )
    large_bodies_per_address: int = Field(
        default=20, ge=1, description="Bodies above 64 KiB that one address sends at a time"
    )
    failed_logins_per_user: int = Field(
        default=10, ge=3, description="A minute: wrong log-ins of one user from one address"
    )
    failed_logins_per_address: int = Field(
        default=300,
        ge=10,
        description="A minute: wrong log-ins from one address; then it waits, its sessions go on",
    )


class Backups(Model):
    """Where backups go."""

    path: AbsolutePath = Field(
        description="On the NFS server's external storage", examples=["/srv/backups/staging"]
    )
    offsite: str | None = Field(
        default=None,
        min_length=1,
        description="Where the off-site copy goes",
        examples=["s3://bucket/staging", "sftp://backup@vault.example.net/staging"],
    )


class Storage(Model):
    """How the NFS server shares its storage."""

    server: Literal["kernel", "ganesha"] = Field(
        default="kernel", description="Linux's own NFS server, or nfs-ganesha where it cannot run"
    )


class Monitoring(Model):
    """Monitoring lives on other infrastructure; environments push to it."""

    addresses: tuple[IpAddress, ...] = Field(
        default=(), description="Where metrics, logs and errors are pushed to"
    )
    prometheus: DnsName | None = Field(default=None, description="Prometheus' DNS name")
    graylog: DnsName | None = Field(
        default=None, description="Graylog's DNS name; hosts send it their logs"
    )
    graylog_tls: bool = Field(
        default=True,
        description="Whether logs travel by TLS; without it all can be read on the way",
    )
    authority: str | None = Field(
        default=None,
        min_length=1,
        description="A file (PEM) of the authority that signs monitoring's certificates;"
        " without it, those that the hosts trust",
        examples=["certificates/monitoring.pem"],
    )
    sentry: DnsName | None = Field(default=None, description="Sentry's DNS name")
    grafana: DnsName | None = Field(default=None, description="Grafana's DNS name")


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

    def accepted(self, requirement: str) -> str | None:
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
