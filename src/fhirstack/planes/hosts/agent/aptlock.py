"""Who holds apt's locks, and waiting for them while their holder works."""

import fcntl
import os
import struct
import time
from typing import Callable

from fhirstack.planes.hosts.agent.base import AgentError, at, read

LOCKS = (
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
)
_STILL_SECONDS = 120
"""A holder that does nothing for so long is not waited for any longer."""
_TELL_SECONDS = 5
_FLOCK = "hhqqi"
"""struct flock of fcntl(2): type, whence, start, length, process."""


def holder() -> "int | None":
    """Return the id of a process that holds one of the locks; None where they are free."""
    for path in LOCKS:
        try:
            handle = os.open(at(path), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            found = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, asked))
        finally:
            os.close(handle)
        if found[0] != fcntl.F_UNLCK and found[4] != os.getpid():
            return int(found[4])
    return None


def wait(tell: "Callable[[str], object]") -> None:
    """Wait until apt is free, and tell who has it.

    Raises AgentError with the holder's name where it has stood still for long.
    """
    moved, told = time.monotonic(), 0.0
    before: "tuple[int | None, int]" = (None, 0)
    while process := holder():
        now = time.monotonic()
        state = process, _work(process)
        if state != before:
            before, moved = state, now
        if now - told > _TELL_SECONDS:
            told = now
            tell(f"waits for {named(process)}, which has apt")
        if now - moved > _STILL_SECONDS:
            raise AgentError(
                f"apt is locked by {named(process)}, which has not moved for {_STILL_SECONDS} s:"
                f" look at it (`ps -fp {process}`), and apply again when it has ended"
            )
        time.sleep(0.5)


def named(process: int) -> str:
    """Return a process as people know it: its name and its id."""
    return f"{(read(f'/proc/{process}/comm') or 'a process').strip()} (process {process})"


def _work(process: int) -> int:
    """Return what a process and those that it started have computed, in clock ticks, and read."""
    fields = (read(f"/proc/{process}/stat") or "").rpartition(")")[2].split()
    ticks = sum(int(word) for word in fields[11:15]) if len(fields) > 15 else 0
    lines = (read(f"/proc/{process}/io") or "").splitlines()
    return ticks + sum(
        int(line.split()[1]) for line in lines if line.startswith(("rchar", "wchar"))
    )
