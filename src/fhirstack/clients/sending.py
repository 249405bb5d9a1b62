"""Sends a request exactly as it is written: no address is put in order, no header is added.

httpx encodes and sorts out addresses as it sees fit (``?&`` and the like may change with any
version of it), so the target of the request line is handed to it beside the address.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

_URL = re.compile(r"(https?://[^/?#]+)([^#]*)")


@dataclass(frozen=True)
class Wire:
    """A request that is ready: an absolute URL in the client's spelling, headers, body."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.url}"


def send(client: httpx.Client, wire: Wire) -> httpx.Response:
    """Send it and return the answer. Raises httpx.HTTPError, ValueError for an impossible URL."""
    match = _URL.fullmatch(wire.url)
    if not match or not wire.url.isascii() or re.search(r"\s", wire.url):
        raise ValueError(f"{wire.url!r} is no URL that can be sent")
    origin, target = match.groups()
    request = httpx.Request(
        wire.method,
        origin,
        headers=dict(wire.headers),
        content=wire.body,
        extensions={
            "target": (target or "/").encode("ascii"),
            "timeout": client.timeout.as_dict(),
        },
    )
    return client.send(request)
