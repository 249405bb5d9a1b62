"""What surrounds the services: certificates, the public entry, backups, storage, monitoring."""

from typing import Literal

from pydantic import Field

from fhirstack.model.base import IpAddress, Model
from fhirstack.model.types import AbsolutePath, DnsName, Email, Port


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
    requests_per_address: int = Field(
        default=250,
        ge=10,
        le=1000,
        description="Requests of one address that one service answers at a time",
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
    mount: AbsolutePath | None = Field(
        default=None,
        description="Where the external storage is mounted; none: at `backups.path` or above it",
        examples=["/srv/backups"],
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
