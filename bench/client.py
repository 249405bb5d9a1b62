"""A load client that costs almost nothing itself: requests made once, raw keep-alive sockets.

A general HTTP client takes as long as a read by id does, which would flatter every ratio.
"""

import socket
import time
from dataclasses import dataclass
from multiprocessing import get_context
from typing import BinaryIO


@dataclass(frozen=True)
class Request:
    """A request as bytes, and where it goes."""

    host: str
    port: int
    content: bytes


def request(
    address: tuple[str, int], method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> Request:
    """Return a request ready to be sent again and again."""
    host, port = address
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}:{port}", "Accept-Encoding: identity"]
    lines.append("Accept: application/fhir+json")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return Request(host, port, "\r\n".join([*lines, "", ""]).encode() + body)


def measure(what: Request, count: int) -> list[float]:
    """Send a request ``count`` times, on one connection while it is kept; return the seconds.

    Raises RuntimeError for an answer that is not 200 or 201.
    """
    times: list[float] = []
    while len(times) < count:
        with socket.create_connection((what.host, what.port), timeout=120) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = connection.makefile("rb", buffering=1 << 16)
            kept = True
            while kept and len(times) < count:
                started = time.perf_counter()
                connection.sendall(what.content)
                status, kept = read_answer(stream)
                times.append(time.perf_counter() - started)
                if status not in (200, 201):
                    raise RuntimeError(f"answer {status} to {what.content[:80]!r}")
    return times


def measure_together(what: Request, count: int, clients: int) -> list[float]:
    """Send from several processes at once, ``count`` requests in all."""
    if clients == 1:
        return measure(what, count)
    context = get_context("fork")
    with context.Pool(clients) as pool:
        parts = pool.starmap(measure, [(what, count // clients)] * clients)
    return [seconds for part in parts for seconds in part]


def percentile(times: list[float], share: float) -> float:
    """Return the value below which ``share`` of the times lie."""
    ordered = sorted(times)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def read_answer(stream: BinaryIO) -> tuple[int, bool]:
    """Read one answer to its end; return its status, and whether the connection is kept."""
    status = int(stream.readline().split()[1])
    length, chunked, kept = 0, False, True
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.lower().partition(b":")
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding" and b"chunked" in value:
            chunked = True
        elif name == b"connection" and b"close" in value:
            kept = False
    if chunked:
        while size := int(stream.readline().split(b";")[0], 16):
            stream.read(size + 2)
        stream.readline()
    else:
        stream.read(length)
    return status, kept
