"""Small value types of the site: sizes, names, addresses.

A value that does not fit raises a pydantic error of the type ``form``, whose context says what
was expected (``kind``) and what to write (``write``): the loader prints both.
"""

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

_UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(MB|GB|TB|MiB|GiB|TiB)\s*$")
_LABEL = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")


def _form(kind: str, write: str) -> PydanticCustomError:
    return PydanticCustomError("form", "not {kind}: write {write}", {"kind": kind, "write": write})


def parse_size(value: object) -> int:
    """Turn ``"8 GB"`` into bytes. Raises ValueError for anything else but a positive integer."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _SIZE.match(value) if isinstance(value, str) else None
    if not match or float(match[1]) <= 0:
        raise _form("a size", 'a number and a unit, such as "8 GB" or "1 TB"')
    return int(float(match[1]) * _UNITS[match[2]])


def format_size(size: int) -> str:
    """Turn bytes into the shortest exact ``"8 GB"`` form, as the page writes it."""
    for unit in ("TB", "GB", "MB"):
        if size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]} {unit}"
    return f"{size / 10**9:.1f} GB"


def _dns_name(value: str) -> str:
    labels = value.split(".")
    if len(labels) < 2 or len(value) > 253 or not all(_LABEL.match(label) for label in labels):
        raise _form("a DNS name", "lower-case labels with dots, such as fhir.example.org")
    if labels[-1].isdigit():
        raise _form("a DNS name but an address", "a name such as fhir.example.org")
    return value


def _matching(pattern: str, kind: str, write: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise _form(kind, write)
        return value

    return check


_NAME = r"^[a-z][a-z0-9-]{0,38}[a-z0-9]$"
_IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_FHIR_ID = r"^[A-Za-z0-9.-]{1,64}$"
_VERSION = r"^\d+(\.\d+)?$"
_EMAIL = r"^[^@\s]+@[^@\s]+$"
_ACCOUNT = r"^[a-z_][a-z0-9_-]{0,31}$"
_FINGERPRINT = r"^SHA256:[A-Za-z0-9+/]{43}$"
_PATH = r"^/(?!.*/\.\.(/|$)).*$"


def _string(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, when_used="json"),
    _string(_SIZE.pattern, "8 GB", "1 TB"),
]
DnsName = Annotated[str, AfterValidator(_dns_name)]
Name = Annotated[
    str,
    AfterValidator(
        _matching(
            _NAME,
            "a name",
            "2 to 40 lower-case letters, digits and hyphens, a letter first, such as worker-1",
        )
    ),
    _string(_NAME, "worker-1"),
]
Identifier = Annotated[
    str,
    AfterValidator(
        _matching(
            _IDENTIFIER,
            "an identifier",
            "up to 64 letters, digits, dots, hyphens and underscores, such as opensrp-android",
        )
    ),
    _string(_IDENTIFIER, "opensrp-android"),
]
FhirId = Annotated[
    str,
    AfterValidator(
        _matching(
            _FHIR_ID,
            "a FHIR id",
            "up to 64 letters, digits, dots and hyphens, such as kalanda",
        )
    ),
    _string(_FHIR_ID, "kalanda"),
]
Version = Annotated[
    str,
    AfterValidator(_matching(_VERSION, "a release", 'numbers with a dot, such as "26.04"')),
    _string(_VERSION, "26.04"),
]
Email = Annotated[
    str,
    AfterValidator(_matching(_EMAIL, "an e-mail address", "one such as ops@example.org")),
    _string(_EMAIL, "ops@example.org"),
]
AbsolutePath = Annotated[
    str,
    AfterValidator(
        _matching(_PATH, "an absolute path", 'a path from "/", such as /srv/backups/staging')
    ),
    _string(_PATH, "/srv/backups/staging"),
]
AccountName = Annotated[
    str,
    AfterValidator(
        _matching(
            _ACCOUNT,
            "an account's name",
            "up to 32 lower-case letters, digits, hyphens, underscores; a letter first: ann",
        )
    ),
    _string(_ACCOUNT, "ann"),
]
Fingerprint = Annotated[
    str,
    AfterValidator(
        _matching(
            _FINGERPRINT,
            "a host key's fingerprint",
            "what `ssh-keygen -lf` prints: SHA256: and 43 characters",
        )
    ),
    _string(_FINGERPRINT, "SHA256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg"),
]


def _ipv6_address(value: object) -> IPv6Address:
    try:
        address = ip_address(value) if isinstance(value, str | IPv6Address) else None
    except ValueError:
        address = None
    if not isinstance(address, IPv6Address) or address.scope_id:
        raise _form("an IPv6 address", "one without a zone, such as fd00:10::31")
    return address


def _ipv6_network(value: object) -> IPv6Network:
    try:
        network = ip_network(value) if isinstance(value, str | IPv6Network) else None
    except ValueError:
        network = None
    if not isinstance(network, IPv6Network):
        raise _form("an IPv6 network", "an address and a prefix length, such as fd00:10::/64")
    return network


def _ipv4_network(value: object) -> IPv4Network:
    try:
        network = ip_network(value) if isinstance(value, str | IPv4Network) else None
    except ValueError:
        network = None
    if not isinstance(network, IPv4Network):
        raise _form("an IPv4 network", "an address and a prefix length, such as 10.244.0.0/16")
    return network


Ipv4Network = Annotated[
    IPv4Network,
    BeforeValidator(_ipv4_network),
    WithJsonSchema({"type": "string", "format": "ipv4network", "examples": ["10.244.0.0/16"]}),
]
Ipv6Address = Annotated[
    IPv6Address,
    BeforeValidator(_ipv6_address),
    WithJsonSchema({"type": "string", "format": "ipv6", "examples": ["fd00:10::31"]}),
]
Ipv6Network = Annotated[
    IPv6Network,
    BeforeValidator(_ipv6_network),
    WithJsonSchema({"type": "string", "format": "ipv6network", "examples": ["fd00:10::/64"]}),
]
Port = Annotated[int, Field(ge=1, le=65535)]


def _time_zone(value: str) -> str:
    # A machine without a database of zones (they are data, not a library) can only see the form.
    known = available_timezones()
    if not _ZONE.fullmatch(value) or (known and value not in known):
        raise _form("a time zone", "its name in the tz database, such as Africa/Nairobi or UTC")
    return value


_ZONE = re.compile(r"[A-Za-z]+([/_+-][A-Za-z0-9]+)*")
TimeZone = Annotated[str, AfterValidator(_time_zone)]
