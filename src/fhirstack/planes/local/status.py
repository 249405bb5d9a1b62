"""What a stack's services are doing."""

import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from fhirstack.bundle.programs import last_lines
from fhirstack.planes.local import processes, runtime
from fhirstack.planes.local.platform import open_platform
from fhirstack.planes.local.stack import Stack
from fhirstack.planes.local.supervisor import State, Supervisor

RECENT_SECONDS = 600
FAILING_RESTARTS = 3
SETTLED_SECONDS = 60
"""A process that stayed up this long is not failing any more."""
_EXIT = re.compile(r"^(\S+ \S+?),\d+ \S+ exited: (\S+) \(.*not expected\)")


@dataclass(frozen=True)
class ServiceStatus:
    """One service as it is now. Memory is the proportional share, in bytes."""

    name: str
    state: str
    ready: bool
    pid: int
    restarts: int
    memory: int
    failing: bool
    last_lines: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as data."""
        return asdict(self)


def recent_exits(log: str, now: float) -> Mapping[str, int]:
    """Count each process's unexpected exits of the last ten minutes in supervisord's log."""
    found: dict[str, int] = {}
    for line in log.splitlines():
        match = _EXIT.match(line)
        if match and now - datetime.fromisoformat(match[1]).timestamp() < RECENT_SECONDS:
            found[match[2]] = found.get(match[2], 0) + 1
    return found


def observe(stack: Stack) -> list[ServiceStatus]:
    """Return the state of every service of the stack."""
    supervisor = Supervisor(stack.root)
    known = supervisor.processes() if supervisor.running() else {}
    log = stack.path("log", "supervisord.log")
    exits = recent_exits(log.read_text("utf-8") if log.exists() else "", time.time())
    children = _families(stack)
    found = []
    for workload in open_platform(stack).workloads:
        info = known.get(workload.name)
        state = info.state if info else State.STOPPED
        restarts = exits.get(workload.name, 0)
        settled = info is not None and time.time() - info.started > SETTLED_SECONDS
        failing = state in (State.FATAL, State.BACKOFF) or (
            restarts >= FAILING_RESTARTS and not settled
        )
        service_log = stack.path("log", f"{workload.name}.log")
        found.append(
            ServiceStatus(
                name=workload.name,
                state=state.lower(),
                ready=state in (State.STARTING, State.RUNNING) and runtime.probe(workload, stack),
                pid=info.pid if info else 0,
                restarts=restarts,
                memory=children.get(info.pid, 0) if info else 0,
                failing=failing,
                last_lines=last_lines(service_log) if failing else "",
            )
        )
    return found


def _families(stack: Stack) -> dict[int, int]:
    """Return each marked process's memory together with that of its descendants."""
    own = processes.of_stack(stack.root)
    memory = {process.pid: processes.resident_bytes(process.pid)[1] for process in own}
    total = dict(memory)
    for pid, size in memory.items():
        parent = processes.parent(pid)
        while parent in total:
            total[parent] += size
            parent = processes.parent(parent)
    return total
