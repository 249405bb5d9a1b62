"""Standard input as lines of bytes, with a bound on the memory that one line can take."""

import contextlib
import fcntl
import os
import select
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import IO, Any

CHUNK = 1 << 18
PIPE = 1 << 20
PREFIX = 1 << 16
TICK_SECONDS = 0.2

# A big line lies in pages of its own: they go back to the system with it, and a heap that has
# grown once would not.
Line = bytes | bytearray | mmap


class Idle:
    """Nothing arrived for a while."""


class Big:
    """The line that is being read is big: what is held in memory should go first."""


class Cut(bytes):
    """The last line, which has no end: its writer was interrupted."""


@dataclass(frozen=True, slots=True)
class Oversized:
    """A line that was not kept: its first bytes, and how long it was."""

    prefix: Line
    size: int


Item = bytes | bytearray | mmap | Oversized | Idle | Big
IDLE, BIG = Idle(), Big()


def read_lines(stream: IO[Any], longest: int, big: int) -> Iterator[Item]:
    """Yield the lines without their ends; blank ones are left out.

    A line of more than ``big`` bytes is announced by BIG, and one of more than ``longest`` bytes
    is an Oversized. IDLE comes whenever nothing could be read for a moment, so that the caller
    can commit what it has.
    """
    pending: bytearray | mmap = bytearray()
    dropped = 0
    for chunk in _chunks(stream, min(CHUNK, longest)):
        if chunk is None:
            yield IDLE
            continue
        first, *rest = chunk.split(b"\n")
        if dropped:
            dropped += len(first)
        elif isinstance(pending, mmap):
            pending.write(first)
        else:
            pending += first
        if rest:
            size = _size(pending)
            if dropped or size > longest:
                yield Oversized(pending[:PREFIX], dropped or size)
            elif size:
                yield _whole(pending)
            pending, dropped = bytearray(rest.pop()), 0
            yield from filter(None, rest)
        size = _size(pending)
        if not dropped and size > longest:
            dropped = size
            pending = bytearray(pending[:PREFIX])
        elif size > big and isinstance(pending, bytearray):
            yield BIG
            grown = mmap(-1, longest + CHUNK)
            grown.write(pending)
            pending = grown
            del grown
    if dropped:
        yield Oversized(pending[:PREFIX], dropped)
    elif _size(pending):
        yield Cut(pending[: _size(pending)])


def _size(pending: bytearray | mmap) -> int:
    return pending.tell() if isinstance(pending, mmap) else len(pending)


def _whole(pending: bytearray | mmap) -> Line:
    if isinstance(pending, mmap):
        pending.resize(pending.tell())
        pending.seek(0)  # searches begin at the position
    return pending


def _chunks(stream: IO[Any], size: int) -> Iterator[bytes | None]:
    """Yield what can be read, and None when there is nothing for a moment.

    A file descriptor is read directly: a lock that a reading thread holds on ``sys.stdin`` would
    keep the interpreter from ending.
    """
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError):
        source = getattr(stream, "buffer", stream)
        while chunk := source.read(size):
            yield chunk if isinstance(chunk, bytes) else chunk.encode()
        return
    with contextlib.suppress(OSError):  # fewer switches between writer and reader
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE)
    while True:
        ready, _, _ = select.select([descriptor], [], [], TICK_SECONDS)
        if not ready:
            yield None
            continue
        chunk = os.read(descriptor, size)
        if not chunk:
            return
        yield chunk
