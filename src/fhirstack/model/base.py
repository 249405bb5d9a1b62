"""What all types of the site share."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from pydantic import BaseModel, ConfigDict

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network


class Model(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
