"""The configuration as types. `spec.yaml` describes it to users."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from .errors import ConfigurationError
from .names import is_type

MIB = 1024 * 1024


class NoAuth(msgspec.Struct, frozen=True, tag="none", tag_field="type"):
    """Requests carry no credentials."""


class Bearer(msgspec.Struct, frozen=True, tag="bearer", tag_field="type"):
    """Requests carry a token that was given."""

    token: str


class ClientCredentials(msgspec.Struct, frozen=True, tag="oauth2", tag_field="type"):
    """Requests carry a token got by the OAuth2 client credentials grant (RFC 6749, 4.4)."""

    token_url: str
    client_id: str
    client_secret: str
    scopes: list[str] = []
    client_authentication: Literal["post", "basic"] = "post"


Auth = NoAuth | Bearer | ClientCredentials


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Times are in seconds, sizes in MiB unless their name says otherwise."""

    base_url: str
    auth: Auth = NoAuth()
    resource_types: list[str] = []
    page_size: int = 1000
    page_sizes: dict[str, int] = {}
    overlap_seconds: float = 120
    deletions: Literal["auto", "history", "sweep", "none"] = "auto"
    sweep_interval_hours: float = 24
    start_date: str | None = None
    totals: bool = False
    ca_file: str | None = None
    timeout_seconds: float = 60
    max_attempts: int = 6
    backoff_seconds: float = 1
    max_backoff_seconds: float = 120
    parallel_streams: int = 2
    max_page_mib: float = 4
    max_resource_mib: float = 64

    @property
    def base(self) -> str:
        """The base URL without a slash at its end."""
        return self.base_url.rstrip("/")

    @property
    def page_limit(self) -> int:
        """The largest page that is read, in bytes."""
        return int(self.max_page_mib * MIB)

    @property
    def resource_limit(self) -> int:
        """The largest page of one single resource that is read, in bytes."""
        return max(self.page_limit, int(self.max_resource_mib * MIB))

    def count_of(self, resource_type: str) -> int:
        """How many resources of this type are asked for in a page."""
        own = self.page_sizes.get(resource_type)
        if own is None:
            own = min(self.page_size, 20) if resource_type == "Binary" else self.page_size
        return max(1, own)


def parse(raw: Mapping[str, Any]) -> Config:
    """Raise ConfigurationError that names the field."""
    try:
        config = msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"the configuration is not valid: {error}") from None
    parts = urlsplit(config.base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise ConfigurationError(
            "base_url is not the http(s) URL of a FHIR server, such as https://host/fhir"
        )
    if parts.username or parts.password:
        raise ConfigurationError("base_url holds credentials: give them under auth instead")
    wrong = [name for name in config.resource_types if not is_type(name)]
    if wrong:
        raise ConfigurationError(f"resource_types has no FHIR types: {', '.join(wrong)}")
    return config
