"""Hosts and the network around them."""

from enum import StrEnum
from ipaddress import IPv4Network
from typing import Literal

from pydantic import Field

from fhirstack.model.base import IpAddress, IpNetwork, Model
from fhirstack.model.types import (
    DnsName,
    Fingerprint,
    Identifier,
    Ipv4Network,
    Ipv6Address,
    Ipv6Network,
    Name,
    Port,
    Size,
    Version,
)

LATEST_UBUNTU_LTS = "26.04"
"""The page asks for the "latest LTS version": Ubuntu 26.04 of April 2026, until 28.04."""


POD_NETWORK = IPv4Network("10.244.0.0/16")
SERVICE_NETWORK = IPv4Network("10.96.0.0/12")
"""Kubernetes' own ranges, unless the site says others; the second is kubeadm's default. Hosts lie
outside of both."""


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
    address6: Ipv6Address | None = Field(
        default=None, description="The IPv6 address beside it", examples=["fd00:10::31"]
    )
    further_addresses: tuple[IpAddress, ...] = Field(
        default=(),
        description="Its addresses in further networks, by which other hosts see it too",
        examples=["[10.20.0.10]"],
    )
    host_key: Fingerprint | None = Field(
        default=None, description="The fingerprint of its SSH host key: no other is accepted"
    )
    cpu: int = Field(ge=1, description="CPU cores", examples=[8])
    memory: Size = Field(description="RAM", examples=["32 GB"])
    disk: Size = Field(description="The host's own disk", examples=["500 GB"])
    external_storage: Size | None = Field(
        default=None,
        description="Storage attached for PostgreSQL backups (NFS server)",
        examples=["5 TB"],
    )
    ssh_port: Port | None = Field(
        default=None, description="Where its sshd listens, if not on `access.port`"
    )
    os: OperatingSystem = Field(default=OperatingSystem(), description="Distribution and release")

    @property
    def addresses(self) -> tuple[IpAddress, ...]:
        """All addresses inside of the cluster's networks: the first is the one it is reached by."""
        second = (self.address6,) if self.address6 else ()
        return (self.address, *second, *self.further_addresses)


class Jump(Model):
    """A machine on the way to the bastion."""

    address: IpAddress | DnsName = Field(
        description="How the machine before it reaches it: an address or a name",
        examples=["jump.example.org"],
    )
    port: Port = Field(default=22, description="Where its sshd listens")
    user: Identifier = Field(description="The account for SSH", examples=["ann"])
    host_key: Fingerprint | None = Field(
        default=None, description="The fingerprint of its SSH host key: no other is accepted"
    )


class Bastion(Model):
    """The host from which administrators reach the load balancer by SSH."""

    address: IpAddress = Field(
        description="The address that the load balancer sees", examples=["198.51.100.7"]
    )
    address6: Ipv6Address | None = Field(
        default=None, description="The IPv6 address that the load balancer sees"
    )
    reach: IpAddress | DnsName | None = Field(
        default=None,
        description="Its name, or another address, by which SSH reaches it; none: `address`",
        examples=["bastion.example.org"],
    )
    port: Port = Field(default=22, description="Where its sshd listens")
    through: tuple[Jump, ...] = Field(
        default=(), description="Machines on the way to it, the first that is reached first"
    )
    user: Identifier = Field(default="ubuntu", description="The account for SSH")
    host_key: Fingerprint | None = Field(
        default=None, description="The fingerprint of its SSH host key: no other is accepted"
    )

    @property
    def addresses(self) -> tuple[IpAddress, ...]:
        """All addresses that the load balancer sees, IPv6 last."""
        return (self.address, self.address6) if self.address6 else (self.address,)


class VantagePoint(Model):
    """A machine outside of the environment, from which its firewall is tried."""

    name: Name = Field(description="Its name in reports", examples=["internet"])
    address: IpAddress = Field(
        description="The address that the hosts see", examples=["198.51.100.99"]
    )
    address6: Ipv6Address | None = Field(
        default=None, description="The IPv6 address that the hosts see"
    )
    port: Port = Field(default=22, description="Where its sshd listens")
    user: Identifier = Field(description="The account for SSH", examples=["probe"])
    host_key: Fingerprint | None = Field(
        default=None, description="The fingerprint of its SSH host key: no other is accepted"
    )
    zone: Literal["internet", "monitoring", "bastion"] | None = Field(
        default=None,
        description="The zone of the firewall matrix that it stands for; none: a guest",
    )

    @property
    def addresses(self) -> tuple[IpAddress, ...]:
        """All addresses that the hosts see, IPv6 last."""
        return (self.address, self.address6) if self.address6 else (self.address,)


class Proxy(Model):
    """Where outgoing HTTP and HTTPS go, instead of to the internet itself."""

    address: IpAddress = Field(description="The proxy's address", examples=["10.0.0.8"])
    port: Port = Field(description="Its port, for plain HTTP and CONNECT", examples=[3128])

    @property
    def url(self) -> str:
        """How programs are told of it. A proxy that asks for a password cannot be used."""
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"http://{host}:{self.port}"


class Network(Model):
    """What lies around and between the hosts."""

    public_address: IpAddress = Field(
        description="The load balancer's one public address", examples=["203.0.113.10"]
    )
    public_address6: Ipv6Address | None = Field(
        default=None, description="The load balancer's public IPv6 address, where it has one"
    )
    cluster_network: IpNetwork = Field(
        description="The network that the hosts' addresses lie in", examples=["10.10.0.0/24"]
    )
    cluster_network6: Ipv6Network | None = Field(
        default=None, description="The network that the hosts' IPv6 addresses lie in"
    )
    further_networks: tuple[IpNetwork, ...] = Field(
        default=(),
        description="Other private networks that hosts' addresses lie in",
        examples=["[10.20.0.0/24]"],
    )
    upstream_mbit: float = Field(gt=0, description="Mb/s towards the internet", examples=[20])
    downstream_mbit: float = Field(gt=0, description="Mb/s from the internet", examples=[20])
    internet_during_setup: bool = Field(
        default=True, description="All hosts reach the internet while they are set up"
    )
    distribution_repositories: bool = Field(
        default=True, description="The hosts reach their distribution's package repositories"
    )
    bastion: Bastion | None = Field(
        default=None,
        description="Where administrators come from",
        examples=["{address: 198.51.100.7}"],
    )
    administrators: tuple[IpNetwork, ...] = Field(
        default=(),
        description="Without a bastion: the networks (a VPN's) from which hosts are reached",
        examples=["[10.8.0.0/24]"],
    )
    port_restrictions: bool = Field(
        default=True, description="False: the partner gives the servers without a firewall"
    )
    resolvers: tuple[IpAddress, ...] = Field(
        default=(), description="DNS servers of the hosts; none: any address on port 53"
    )
    time_servers: tuple[IpAddress | DnsName, ...] = Field(
        default=(),
        description="NTP servers of the hosts; none, or one by name: any address on port 123",
        examples=["[10.0.0.3]"],
    )
    mail_servers: tuple[IpAddress | DnsName, ...] = Field(
        default=(),
        description="Where Keycloak and Superset hand over mail; none: no mail; one by name: any"
        " address on ports 465 and 587",
        examples=["[10.0.0.4]"],
    )
    proxy: Proxy | None = Field(
        default=None,
        description="The proxy for outgoing HTTP and HTTPS; none: hosts reach the internet",
        examples=["{address: 10.0.0.8, port: 3128}"],
    )
    pod_network: Ipv4Network = Field(
        default=POD_NETWORK, description="The cluster's addresses for pods"
    )
    service_network: Ipv4Network = Field(
        default=SERVICE_NETWORK, description="The cluster's addresses for services"
    )
    vantage_points: tuple[VantagePoint, ...] = Field(
        default=(), description="Machines outside, from which the firewall is tried"
    )

    @property
    def inner_networks(self) -> tuple[IpNetwork, ...]:
        """All networks that hosts' addresses lie in."""
        second = (self.cluster_network6,) if self.cluster_network6 else ()
        return (self.cluster_network, *second, *self.further_networks)

    @property
    def public_addresses(self) -> tuple[IpAddress, ...]:
        """The public addresses of the load balancer, IPv6 last."""
        return (
            (self.public_address, self.public_address6)
            if self.public_address6
            else (self.public_address,)
        )
