"""Which DNS servers the host asks, by its own files."""

import re

from fhirstack.planes.hosts.agent.base import read

STUB = "127.0.0.53"


def resolvers() -> "list[str]":
    """Return the DNS servers of the host: behind systemd's stub, those that it asks."""
    found = nameservers("/etc/resolv.conf")
    behind = nameservers("/run/systemd/resolve/resolv.conf") if STUB in found else []
    return behind or found


def nameservers(path: str) -> "list[str]":
    """Return the servers of a file in the form of resolv.conf."""
    return re.findall(r"^\s*nameserver\s+(\S+)", read(path) or "", re.MULTILINE)
