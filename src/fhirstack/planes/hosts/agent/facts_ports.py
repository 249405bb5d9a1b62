"""What listens on a host: ports with the program that holds them."""

import os
import re
from ipaddress import ip_address
from typing import Any, Iterable

from fhirstack.planes.hosts.agent.base import at, read

_STATES = {"tcp": "0A", "udp": "07"}
"""Listening, and bound to a port with no peer."""


def listening(ranges: "Iterable[list[Any]]") -> "list[dict[str, Any]]":
    """Return what listens within the ranges ``[protocol, first, last]``.

    ``program`` is None for the kernel's own (NFS), and where another account's cannot be seen.
    """
    wanted = [(str(protocol), int(first), int(last)) for protocol, first, last in ranges]
    found: "dict[tuple[str, int], dict[str, Any]]" = {}
    inodes: "dict[str, list[tuple[str, int]]]" = {}
    for protocol, address, port, inode in _sockets():
        if not any(p == protocol and first <= port <= last for p, first, last in wanted):
            continue
        entry = found.setdefault(
            (protocol, port),
            {"protocol": protocol, "port": port, "addresses": [], "program": None, "pid": None},
        )
        if address not in entry["addresses"]:
            entry["addresses"].append(address)
        inodes.setdefault(inode, []).append((protocol, port))
    for inode, (pid, program) in holders(set(inodes) - {"0"}).items():
        for key in inodes[inode]:
            found[key].update(program=program, pid=pid)
    return [found[key] for key in sorted(found)]


def listeners(protocol: str, port: int) -> "set[str]":
    """Return the inodes of the sockets that listen on a port."""
    found = (each for each in _sockets() if each[0] == protocol and each[2] == port)
    return {inode for _, _, _, inode in found}


def _sockets() -> "Iterable[tuple[str, str, int, str]]":
    """Yield protocol, address, port and inode of each socket that listens."""
    for protocol, state in _STATES.items():
        for suffix in ("", "6"):
            for line in (read(f"/proc/net/{protocol}{suffix}") or "").splitlines()[1:]:
                fields = line.split()
                if fields[3] != state or not fields[2].endswith(":0000"):
                    continue
                address, _, port = fields[1].partition(":")
                yield protocol, _address(address), int(port, 16), fields[9]


def _address(text: str) -> str:
    """Return an address of /proc/net, which has words of four bytes in the machine's order."""
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    return str(ip_address(b"".join(words)))


def holders(inodes: "set[str]") -> "dict[str, tuple[int, str]]":
    """Return the process id and name of who holds each socket."""
    found: "dict[str, tuple[int, str]]" = {}
    for entry in os.listdir(at("/proc")) if inodes else ():
        if not entry.isdigit():
            continue
        directory = f"/proc/{entry}/fd"
        try:
            for handle in os.listdir(at(directory)):
                held = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(at(f"{directory}/{handle}")))
                if held and held[1] in inodes and held[1] not in found:
                    found[held[1]] = (int(entry), (read(f"/proc/{entry}/comm") or "").strip())
        except OSError:
            continue  # It ended, or is another account's.
    return found
