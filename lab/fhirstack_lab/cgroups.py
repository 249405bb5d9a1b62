"""Control groups: one for each host in every hierarchy of the machine.

They are also the lab's list of processes: whatever a run started is in a group of the lab's, so
that a later run finds and ends it, by its id, whoever its parent is by now.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from fhirstack_lab.places import PREFIX
from fhirstack_lab.say import LabError

_LIMIT = 20.0
_TWO_LEVELS = 3  # the word, the id outside, the id inside


def hierarchies() -> list[Path]:
    """Return where the machine's control group hierarchies are mounted, of both versions."""
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split(" ")
        if kind in ("cgroup", "cgroup2") and where.startswith("/sys/fs/cgroup"):
            found.append(Path(where))
    if not found:
        raise LabError("no control groups are mounted below /sys/fs/cgroup", "mount them first")
    return found


def make(name: str) -> list[Path]:
    """Make the group of a host in every hierarchy and return their directories."""
    made = []
    for top in hierarchies():
        for directory in (top / PREFIX, top / PREFIX / name):
            directory.mkdir(exist_ok=True)
            if (directory / "cpuset.cpus").exists() and not (directory / "cgroup.type").exists():
                # A new cpuset of version 1 is empty, and takes no process before it is filled.
                for file in ("cpuset.cpus", "cpuset.mems"):
                    (directory / file).write_text((directory.parent / file).read_text())
                (directory / "cgroup.clone_children").write_text("1")
        made.append(top / PREFIX / name)
    return made


def join(name: str) -> None:
    """Put this program, and what it starts, in a group, so that nothing of it gets lost."""
    for directory in make(name):
        (directory / "cgroup.procs").write_text("0")


def processes(name: str = "") -> set[int]:
    """Return the ids of the processes in a host's groups, or in all of the lab's."""
    found: set[int] = set()
    for top in hierarchies():
        root = top / PREFIX / name
        for directory, _, _ in os.walk(root):
            with suppress(OSError):
                found |= {
                    int(pid) for pid in (Path(directory) / "cgroup.procs").read_text().split()
                }
    return found - {0, os.getpid()}


def first_process(name: str) -> int | None:
    """Return the id of the init of a host that runs, as the machine counts, or None."""
    for pid in sorted(processes(name)):
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                # "NSpid: <outside> <inside>": deeper ones are containers in the host.
                if line.startswith("NSpid:"):
                    fields = line.split()
                    if len(fields) == _TWO_LEVELS and fields[2] == "1":
                        return pid
    return None


def end(name: str = "") -> None:
    """Kill, by id, every process of a host, or of the lab, and wait until none is left."""
    limit = time.monotonic() + _LIMIT
    while pids := processes(name):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > limit:
            raise LabError(
                f"processes of {name or 'the lab'} do not end: {' '.join(map(str, sorted(pids)))}",
                "see `cat /proc/ID/stack` of one, then run this again",
            )
        time.sleep(0.02)


def remove(name: str = "") -> None:
    """Remove the empty groups of a host, or all of the lab's."""
    for top in hierarchies():
        for directory, _, _ in os.walk(top / PREFIX / name, topdown=False):
            with suppress(FileNotFoundError):
                Path(directory).rmdir()


def memory(name: str) -> int:
    """Return the bytes of memory that a host's processes have of their own, without caches."""
    total = 0
    for pid in processes(name):
        with suppress(OSError, IndexError, ValueError):
            pages = Path(f"/proc/{pid}/statm").read_text().split()
            total += (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")
    return total
