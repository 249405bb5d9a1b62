"""What is measured from here over SSH: clocks, and the speed of the link."""

import os
import selectors
import subprocess
import time
from collections.abc import Callable
from threading import Thread

from fhirstack.checks.preflight.facts import Clock, Link
from fhirstack.errors import UnreachableError
from fhirstack.planes.hosts.ssh import Connections

LINK_BYTES = 24 * 10**6
LINK_SECONDS = 4.0
"""Of each direction: what comes first ends the measurement."""
_DRAIN_SECONDS = 10.0
"""For what is on its way when sending ended."""
_CLOCK_TRIES = 4
_CLOCK_SECONDS = 20.0
_CHUNK = 1 << 16
_OPTIONS = ("-T", "-o", "BatchMode=yes", "-o", "Compression=no")


def clock(connections: Connections, name: str) -> Clock:
    """Return how far a host's clock is ahead of this one's: the middle of the quickest round trip.

    Raises UnreachableError where it cannot be measured.
    """
    # A shell's loop answers each line with the time: the connection is open by then.
    loop = "while read -r _; do date +%s.%N; done"
    best: Clock | None = None
    with _running(connections, name, "sh", "-c", loop) as process:
        assert process.stdin and process.stdout  # noqa: S101, PT018 - PIPE
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdout, selectors.EVENT_READ)
            for _ in range(_CLOCK_TRIES + 1):
                sent, began = time.time(), time.monotonic()
                _write(process, b"\n")
                if not ready.select(_CLOCK_SECONDS):
                    break
                line = process.stdout.readline()
                took = time.monotonic() - began
                try:
                    found = float(line)
                except ValueError:
                    break
                if best is None or took / 2 < best.within:
                    best = Clock(offset=found - (sent + took / 2), within=took / 2)
        process.kill()
    if best is None:
        raise UnreachableError("its clock was not told", where=name)
    return best


def link(connections: Connections, name: str) -> Link:
    """Return the speed to and from a machine in Mb/s, by bytes that nothing on the way compresses.

    At most ``LINK_BYTES`` and ``LINK_SECONDS`` each way. Raises UnreachableError.
    """
    return Link(upstream=_from(connections, name), downstream=_to(connections, name))


def _from(connections: Connections, name: str) -> float:
    """Measure what the site sends: bytes since the first arrived."""
    # Its first chunk is not counted: the way is open, and sending has begun, when it is here.
    words = ("head", "-c", str(LINK_BYTES), "/dev/urandom")
    count = 0
    took = 0.0
    with _running(connections, name, *words) as process:
        assert process.stdout  # noqa: S101 - PIPE
        handle = process.stdout.fileno()
        with selectors.DefaultSelector() as ready:
            ready.register(handle, selectors.EVENT_READ)
            if ready.select(_CLOCK_SECONDS) and os.read(handle, _CHUNK):
                began = time.monotonic()
                while (left := began + LINK_SECONDS - time.monotonic()) > 0:
                    if not ready.select(left):
                        continue
                    piece = os.read(handle, _CHUNK)
                    if not piece:
                        break
                    count += len(piece)
                    took = time.monotonic() - began
                if time.monotonic() - began >= LINK_SECONDS:
                    took = time.monotonic() - began
        process.kill()
    return _speed(count, took, name)


def _to(connections: Connections, name: str) -> float:
    """Measure what the site receives: bytes that it counted, until it said so."""
    with _running(connections, name, "sh", "-c", "echo; wc -c") as process:
        assert process.stdin and process.stdout  # noqa: S101, PT018 - PIPE
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdout, selectors.EVENT_READ)
            if not ready.select(_CLOCK_SECONDS) or not process.stdout.readline():
                raise UnreachableError("does not take what is sent", where=name)
            began = time.monotonic()
            sent = [0]
            # A thread writes, so that a link that takes nothing ends by the limit all the same.
            writer = Thread(target=_send, args=(process, began + LINK_SECONDS, sent), daemon=True)
            writer.start()
            arrived = ready.select(LINK_SECONDS + _DRAIN_SECONDS)
            took = time.monotonic() - began
            line = process.stdout.readline() if arrived else b""
        process.kill()
        writer.join()
    # Where nothing was counted in time, what was sent is more than what arrived.
    return _speed(int(line) if line.strip().isdigit() else sent[0], took, name)


def _send(process: "subprocess.Popen[bytes]", limit: float, sent: list[int]) -> None:
    assert process.stdin  # noqa: S101 - PIPE
    piece = os.urandom(_CHUNK * 16)
    try:
        while time.monotonic() < limit and sent[0] < LINK_BYTES:
            sent[0] += os.write(process.stdin.fileno(), piece[:_CHUNK])
            piece = piece[_CHUNK:] or os.urandom(_CHUNK * 16)
        process.stdin.close()
    except OSError:
        return  # It was ended, or the link broke: what was counted tells.


def _write(process: "subprocess.Popen[bytes]", text: bytes) -> None:
    assert process.stdin  # noqa: S101 - PIPE
    try:
        os.write(process.stdin.fileno(), text)
    except BrokenPipeError:
        return  # Nothing will be read: that tells.


def _speed(count: int, seconds: float, name: str) -> float:
    if not count or seconds <= 0:
        raise UnreachableError("no bytes came through to measure the link", where=name)
    return count * 8 / seconds / 10**6


_Running = Callable[..., "subprocess.Popen[bytes]"]


def _running(connections: Connections, name: str, *words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        connections.command(name, *words, options=_OPTIONS),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
    )
