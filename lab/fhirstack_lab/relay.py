#!/usr/bin/env python3
"""Relays standard input and output to HOST PORT, as ssh's ProxyCommand, like a long line.

LAB_DELAY_MS holds every byte back by so many milliseconds each way; the rate is not limited, as
each piece is sent at its time of arrival plus the delay. Where the file CUT appears, the line is
cut: nothing more passes, and the relay ends.

Usage: relay.py HOST PORT [CUT]
"""

import contextlib
import os
import selectors
import socket
import sys
import time
from collections import deque

_PIECE = 256 * 1024
_MOST_WAITING = 64 * 1024 * 1024
"""Bytes on the line at once: the delay times the fastest rate that is wanted."""
_LOOK_EVERY = 0.2


class Direction:
    """One way of the line: what was read, and when it may be written."""

    def __init__(self, source: int, sink: int, delay: float) -> None:
        self.source, self.sink, self.delay = source, sink, delay
        self.waiting: deque[tuple[float, bytes]] = deque()
        self.size = 0
        self.ended = False  # the source has ended
        self.closed = False  # and the sink was told

    def read(self) -> None:
        """Take what is there."""
        try:
            piece = os.read(self.source, _PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        self.ended = not piece
        self.size += len(piece)
        self.waiting.append((time.monotonic() + self.delay, piece))

    def due(self, now: float) -> bool:
        """Tell whether something may be written by now."""
        return bool(self.waiting) and self.waiting[0][0] <= now

    def write(self) -> bool:
        """Write what is due; return whether the end was reached."""
        now = time.monotonic()
        while self.due(now):
            at, piece = self.waiting.popleft()
            if not piece:
                self.closed = True
                return True
            try:
                done = os.write(self.sink, piece)
            except BlockingIOError:
                done = 0
            except OSError:
                self.closed = self.ended = True
                return True
            self.size -= done
            if done < len(piece):
                self.waiting.appendleft((at, piece[done:]))
                break
        return False


def relay(line: socket.socket, delay: float, cut: str) -> int:
    """Carry bytes both ways until both ends have closed; return the exit code."""
    file = line.fileno()
    for number in (0, 1, file):
        os.set_blocking(number, False)
    out, back = Direction(0, file, delay), Direction(file, 1, delay)
    with selectors.DefaultSelector() as selector:
        watched: dict[int, int] = {}
        while not (out.closed and back.closed):
            if cut and os.path.exists(cut):
                return 1
            now = time.monotonic()
            _watch(selector, watched, _wanted(out, back, now))
            times = [way.waiting[0][0] - now for way in (out, back) if way.waiting]
            selector.select(max(0.0, min([_LOOK_EVERY, *(t for t in times if t > 0)])))
            for way in (out, back):
                if not way.ended and way.size < _MOST_WAITING:
                    way.read()
                if way.write() and way is out:
                    with contextlib.suppress(OSError):
                        line.shutdown(socket.SHUT_WR)
            if back.closed:
                return 0
    return 0


def _wanted(out: Direction, back: Direction, now: float) -> dict[int, int]:
    """Return which events of which file are waited for."""
    wanted: dict[int, int] = {}
    for way in (out, back):
        if not way.ended and way.size < _MOST_WAITING:
            wanted[way.source] = wanted.get(way.source, 0) | selectors.EVENT_READ
        if way.due(now):
            wanted[way.sink] = wanted.get(way.sink, 0) | selectors.EVENT_WRITE
    return wanted


def _watch(
    selector: selectors.BaseSelector, watched: dict[int, int], wanted: dict[int, int]
) -> None:
    for file in [file for file in watched if file not in wanted]:
        selector.unregister(file)
        del watched[file]
    for file, events in wanted.items():
        if file not in watched:
            selector.register(file, events)
        elif watched[file] != events:
            selector.modify(file, events)
        watched[file] = events


def main() -> int:
    """Connect and relay."""
    host, port = sys.argv[1], int(sys.argv[2])
    delay = float(os.environ.get("LAB_DELAY_MS") or 0) / 1000
    cut = sys.argv[3] if len(sys.argv) > 3 else ""
    if cut and os.path.exists(cut):
        print(f"relay: the line is cut: {cut} exists", file=sys.stderr)
        return 1
    try:
        line = socket.create_connection((host, port), timeout=20)
    except OSError as error:
        print(f"relay: {host} port {port}: {error}", file=sys.stderr)
        return 1
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return relay(line, delay, cut)


if __name__ == "__main__":
    sys.exit(main())
