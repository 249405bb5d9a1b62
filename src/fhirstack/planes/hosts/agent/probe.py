"""Trying connections from this machine: many at once, and what became of each.

A port that answers, also by refusing, was reached: no firewall was between. Silence is a firewall
that drops. The machine's own firewall says no at once.
"""

import errno
import re
import resource
import selectors
import socket
import subprocess
import time
from typing import Any

from fhirstack.planes.hosts.agent.base import run

OPEN, REFUSED, SILENT, DENIED, UNREACHABLE = "open", "refused", "silent", "denied", "unreachable"
"""What became of a try. The first two have reached the machine, the others have not."""

_BATCH = 1000
"""Connections at once: many more overflow a small machine's queues."""
_FIRST_SECONDS = 1.5
_AGAIN_SECONDS = 3.5
"""A lost packet is sent again after one second, and after three."""
_LISTEN = "0A"
_LOOPBACK6 = "00000000000000000000000001000000"
"""As the kernel's tables write the state and the address; 127.0.0.0/8 ends in 7F there."""
_DENIED = (errno.EPERM, errno.EACCES)


def answer(request: "dict[str, Any]") -> "dict[str, Any]":
    """Try each of ``targets`` ([address, protocol, port] lists); tell what became of each.

    ``expected`` are indexes of those that should be reached: with TCP they are tried again, for
    longer, before they are called silent.
    """
    targets = [tuple(target) for target in request["targets"]]
    _raise_limit()
    found: dict[int, str] = {}
    connect = [n for n, target in enumerate(targets) if target[1] in ("tcp", "udp")]
    for first in range(0, len(connect), _BATCH):
        found |= _try(targets, connect[first : first + _BATCH], _FIRST_SECONDS)
    again = [n for n in request["expected"] if targets[n][1] == "tcp" and found[n] == SILENT]
    for first in range(0, len(again), _BATCH):
        found |= _try(targets, again[first : first + _BATCH], _AGAIN_SECONDS)
    found |= _ping(targets, [n for n, target in enumerate(targets) if target[1] == "icmp"])
    return {"results": [found[number] for number in range(len(targets))]}


def _raise_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _try(targets: "list[Any]", numbers: "list[int]", seconds: float) -> "dict[int, str]":
    """Open all connections at once and wait until each has an answer or the time is over."""
    found: dict[int, str] = {}
    waiting: dict[int, socket.socket] = {}
    chosen = selectors.DefaultSelector()
    for number in numbers:
        address, protocol, port = targets[number]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        tried = socket.socket(family, kind)
        tried.setblocking(False)
        try:
            code = tried.connect_ex((address, port))
            if protocol == "udp" and not code:
                tried.send(b"\0")
                code = errno.EINPROGRESS
        except OSError as error:
            code = error.errno or errno.EIO
        if code in (errno.EINPROGRESS, errno.EAGAIN):
            event = selectors.EVENT_WRITE if protocol == "tcp" else selectors.EVENT_READ
            chosen.register(tried, event, number)
            waiting[number] = tried
        else:
            found[number] = _meaning(code)
            tried.close()
    limit = time.monotonic() + seconds
    while waiting and (left := limit - time.monotonic()) > 0:
        for key, _ in chosen.select(left):
            tried = waiting.pop(key.data)
            found[key.data] = _meaning(tried.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
            chosen.unregister(tried)
            tried.close()
    for number, tried in waiting.items():
        found[number] = SILENT
        tried.close()
    chosen.close()
    return found


def _meaning(code: int) -> str:
    if code == 0:
        return OPEN
    if code == errno.ECONNREFUSED:
        return REFUSED
    if code in _DENIED:
        return DENIED
    if code in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return UNREACHABLE
    return SILENT


def _ping(targets: "list[Any]", numbers: "list[int]") -> "dict[int, str]":
    started = [
        (
            number,
            subprocess.Popen(
                ["ping", "-n", "-q", "-c", "2", "-i", "0.5", "-W", "2", targets[number][0]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ),
        )
        for number in numbers
    ]
    return {number: OPEN if process.wait() == 0 else SILENT for number, process in started}


def ports(request: "dict[str, Any]") -> "dict[str, Any]":
    """Tell the ports that listen here beyond loopback, and those that the firewall's rules name."""
    found: set[int] = set()
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(path, encoding="ascii") as stream:
                rows = [line.split() for line in stream.readlines()[1:]]
        except OSError:
            continue
        for row in rows:
            address, _, port = row[1].partition(":")
            if row[3] == _LISTEN and address != _LOOPBACK6 and not address.endswith("7F"):
                found.add(int(port, 16))
    rules = run(["nft", "--stateless", "list", "ruleset"], check=False).stdout
    for group in re.findall(r"dport (?:\{([^}]*)\}|(\d+))", rules):
        found |= {int(word) for word in re.findall(r"(?<![-\d])\d+(?![-\d])", "".join(group))}
    return {"ports": sorted(found)}
