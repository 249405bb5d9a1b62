"""Looking at processes through ``/proc``: who listens on a port, and which are a stack's own."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from fhirstack.errors import UnreachableError
from fhirstack.patience import Patience, wait_for

MARK = "STACK_DIRECTORY"
"""Environment variable that marks every process of a stack with the stack's directory."""


@dataclass(frozen=True)
class Process:
    """A process of this machine."""

    pid: int
    command: str


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "?"
    return words[0].decode(errors="replace") or "?"


@dataclass(frozen=True)
class Socket:
    """A listening TCP socket: its address, port and inode."""

    address: IPv4Address | IPv6Address
    port: int
    inode: str


def listening() -> list[Socket]:
    """Return every listening TCP socket of this machine, from the kernel's tables."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            address, _, port = fields[1].rpartition(":")
            if fields[3] == "0A":
                found.append(Socket(_address(address), int(port, 16), f"socket:[{fields[9]}]"))
    return found


def _address(text: str) -> IPv4Address | IPv6Address:
    """Read the kernel's form: 32-bit words in this machine's byte order, as hexadecimals."""
    words = [int(text[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(text), 8)]
    raw = b"".join(words)
    if len(raw) == 4:
        return IPv4Address(raw)
    address = IPv6Address(raw)
    return address.ipv4_mapped or address


def _sockets(pid: int) -> set[str]:
    """Return the inodes of a process's sockets; none where we may not look."""
    found: set[str] = set()
    try:
        handles = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208
    except OSError:
        return found
    for handle in handles:
        with contextlib.suppress(OSError):  # closed meanwhile
            found.add(os.readlink(f"/proc/{pid}/fd/{handle}"))  # noqa: PTH115
    return found


def listener(port: int) -> Process | None:
    """Return the process that listens on a TCP port, if it can be seen by this user."""
    inodes = {found.inode for found in listening() if found.port == port}
    for pid in _pids() if inodes else []:
        if inodes & _sockets(pid):
            return Process(pid, _command(pid))
    return None


def listening_of_stack(root: Path) -> list[Socket]:
    """Return the listening sockets of a stack's own processes."""
    own = {inode for process in of_stack(root) for inode in _sockets(process.pid)}
    return [found for found in listening() if found.inode in own]


def of_stack(root: Path) -> list[Process]:
    """Return the processes that carry the mark of the stack in ``root``, and their descendants.

    Some programs write their title over their environment (PostgreSQL's children do).
    """
    mark = f"{MARK}={root}".encode()
    parents = {pid: parent(pid) for pid in _pids()}
    own = {pid for pid in parents if pid != os.getpid() and _carries(pid, mark)}
    size = 0
    while size != len(own):
        size = len(own)
        own |= {pid for pid, above in parents.items() if above in own}
    return [Process(pid, _command(pid)) for pid in sorted(own)]


def _carries(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def parent(pid: int) -> int:
    """Return the id of a process's parent; 0 where it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return int(text.rsplit(")", 1)[1].split()[1])


def cpu_seconds(pid: int) -> float:
    """Return how long a process and its ended children were on a CPU; 0 where it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    ticks = text.rsplit(")", 1)[1].split()[11:15]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> tuple[int, int]:
    """Return a process's (RSS, PSS) in bytes; PSS counts shared pages by share. 0 where gone."""
    rss = pss = 0
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0, 0
    for line in text.splitlines():
        if line.startswith("Rss:"):
            rss = int(line.split()[1]) * 1024
        elif line.startswith("Pss:"):
            pss = int(line.split()[1]) * 1024
    return rss, pss


def end(processes: Iterable[Process], *, limit_seconds: float = 30) -> None:
    """End processes by id: TERM, then KILL for those that stay. Raises UnreachableError."""
    left = {process.pid: process for process in processes}

    def remaining() -> bool:
        for pid in [pid for pid in left if not _alive(pid)]:
            del left[pid]
        return bool(left)

    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            _signal(pid, number)
        late = wait_for(lambda: not remaining(), lambda: len(left), Patience(limit_seconds))
        if not late:
            return
    names = ", ".join(f"{process.command} ({pid})" for pid, process in left.items())
    raise UnreachableError(f"these processes do not end: {names}")


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
