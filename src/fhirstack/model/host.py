"""Hosts and the network around them."""

from enum import StrEnum
from ipaddress import ip_network
from typing import Literal

from pydantic import Field

from fhirstack.model.base import IpAddress, IpNetwork, Model
from fhirstack.model.types import Identifier, Name, Size, Version

LATEST_UBUNTU_LTS = "26.04"
"""The page asks for the "latest LTS version": Ubuntu 26.04 of April 2026, until 28.04."""


POD_NETWORK = ip_network("10.244.0.0/16")
SERVICE_NETWORK = ip_network("10.96.0.0/12")
"""Kubernetes' own ranges; the second is kubeadm's default. Hosts lie outside of both."""


class Role(StrEnum):
    """What a host of the page is for."""

    ANALYTICS = "analytics"
    LOAD_BALANCER = "load-balancer"
    PRIMARY = "primary"
    WORKER = "worker"
    NFS = "nfs"
    DATABASE = "database"


class OperatingSystem(Model):
    """The distribution and release of a host."""

    name: Literal["ubuntu", "debian"] = Field(default="ubuntu", description="The distribution")
    version: Version = Field(default=LATEST_UBUNTU_LTS, description="Its release")


class Host(Model):
    """One machine of the page's table."""

    name: Name = Field(description="The host's name", examples=["worker-1"])
    role: Role = Field(description="What the host is for", examples=["worker"])
    address: IpAddress = Field(
        description="The address inside the cluster's network", examples=["10.10.0.31"]
    )
    cpu: int = Field(ge=1, description="CPU cores", examples=[8])
    memory: Size = Field(description="RAM", examples=["32 GB"])
    disk: Size = Field(description="The host's own disk", examples=["500 GB"])
    external_storage: Size | None = Field(
        default=None,
        description="Storage attached for PostgreSQL backups (NFS server)",
        examples=["5 TB"],
    )
    os: OperatingSystem = Field(default=OperatingSystem(), description="Distribution and release")


class Bastion(Model):
    """The host from which administrators reach the load balancer by SSH."""

    address: IpAddress = Field(
        description="The address that the load balancer sees", examples=["198.51.100.7"]
    )
    user: Identifier = Field(default="ubuntu", description="The account for SSH")


class Network(Model):
    """What lies around and between the hosts."""

    public_address: IpAddress = Field(
        description="The load balancer's one public address", examples=["203.0.113.10"]
    )
    cluster_network: IpNetwork = Field(
        description="The network that the hosts' addresses lie in", examples=["10.10.0.0/24"]
    )
    upstream_mbit: float = Field(gt=0, description="Mb/s towards the internet", examples=[20])
    downstream_mbit: float = Field(gt=0, description="Mb/s from the internet", examples=[20])
    internet_during_setup: bool = Field(
        default=True, description="All hosts reach the internet while they are set up"
    )
    distribution_repositories: bool = Field(
        default=True, description="The hosts reach their distribution's package repositories"
    )
    bastion: Bastion = Field(
        description="Where administrators come from", examples=["{address: 198.51.100.7}"]
    )
    port_restrictions: bool = Field(
        default=True, description="False: the partner gives the servers without a firewall"
    )
    resolvers: tuple[IpAddress, ...] = Field(
        default=(), description="DNS servers of the hosts; none: any address on port 53"
    )
    time_servers: tuple[IpAddress, ...] = Field(
        default=(), description="NTP servers of the hosts; none: any address on port 123"
    )
    mail_servers: tuple[IpAddress, ...] = Field(
        default=(), description="Where Keycloak and Superset hand over mail; none: no mail"
    )
