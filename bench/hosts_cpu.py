"""The CPU seconds of the parts of a round trip: who spends them, on this machine and in the lab.

The lab has a control group for each host, so that a host's share is known although all of them
run on this machine.
"""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup/cpuacct/fslab")
"""Where the lab's control groups are (version 1). Without it the hosts' share is not told."""

_TICKS = os.sysconf("SC_CLK_TCK")
_OURS, _CLIENTS, _RELAY = "this program", "its children", "relay"
_MASTERS = "shared connections"


def spent() -> dict[str, float]:
    """Return CPU seconds so far by part: ours, children's, connections', the relay's, hosts'."""
    found = {}
    for name, which in ((_OURS, resource.RUSAGE_SELF), (_CLIENTS, resource.RUSAGE_CHILDREN)):
        usage = resource.getrusage(which)
        found[name] = usage.ru_utime + usage.ru_stime
    for name, seconds in _daemons():
        found[name] = found.get(name, 0.0) + seconds
    for file in sorted(GROUPS.glob("*/cpuacct.usage")):
        found[f"host {file.parent.name}"] = int(file.read_text()) / 1e9
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    idle = int(fields[3]) + int(fields[4])
    found["machine"] = (sum(map(int, fields[:8])) - idle) / _TICKS
    return found


def _daemons() -> Iterator[tuple[str, float]]:
    """Yield CPU seconds of what outlives its caller: masters of connections, jumps, the relay."""
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_bytes()
            if b"/relay.py\0" in command:
                name = _RELAY
            elif b"[mux]" in command or b"\0-W\0" in command:
                name = _MASTERS
            else:
                continue
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        yield name, (int(fields[11]) + int(fields[12])) / _TICKS


class Measured:
    """What one measurement took: seconds of the clock, and CPU seconds by part."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.cpu: dict[str, float] = {}

    @property
    def hosts(self) -> dict[str, float]:
        """CPU seconds of each host of the lab."""
        return {n.removeprefix("host "): s for n, s in self.cpu.items() if n.startswith("host ")}


@contextmanager
def measured() -> Iterator[Measured]:
    """Measure what is done inside."""
    found = Measured()
    before, began = spent(), time.perf_counter()
    yield found
    found.seconds = time.perf_counter() - began
    found.cpu = {
        name: round(max(value - before.get(name, 0.0), 0.0), 4) for name, value in spent().items()
    }
