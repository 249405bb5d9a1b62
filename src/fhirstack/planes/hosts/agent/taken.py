"""What is in a service's place already: another program on its port, or data of somebody else."""

import contextlib
import os
import re
from typing import Any

from fhirstack.planes.hosts.agent.base import AgentError, Change, Resource, at, read
from fhirstack.planes.hosts.agent.facts_ports import holders, listeners

_EMPTY_BYTES = 256
"""A file of data that is no longer is what a program writes of nothing at all."""


class Place(Resource):
    """The port, the configuration and the data of a service, which nobody else may have.

    Nothing of another's is stopped or moved: it is named, and the host waits for a person.
    """

    kind = "place"

    def plan(self) -> "list[Change]":
        return [self.change("update", reason=fault) for fault in self.strangers()]

    def strangers(self) -> "list[str]":
        """Return what is in the way, each with its remedy."""
        return [*self.data(), *self.port()]

    def apply(self, changes: "list[Change]") -> None:
        faults = self.strangers()
        if faults:
            raise AgentError("; ".join(faults))

    def port(self) -> "list[str]":
        """Return who else listens on the port."""
        port, unit = self.spec["port"], self.spec["unit"]
        found = listeners("tcp", port)
        others = found - _sockets_of(self.pid())
        if not others:
            return []
        held = holders(others)
        strangers = {pid: name for pid, name in held.values() if not _of_unit(pid, unit)}
        unseen = len(others - held.keys())
        told = [f"{name} (pid {pid}{_unit(pid)})" for pid, name in sorted(strangers.items())]
        told += ["the kernel, or a program that is not seen"] if unseen else []
        return [f"tcp {port} is held by {one}: stop it, or give it another port" for one in told]

    def pid(self) -> str:
        """Return the process of the service itself, by the file that it writes; empty: none."""
        lines = (read(self.spec["pid_file"]) or "").split()
        return lines[0] if lines and lines[0].isdigit() else ""

    def data(self) -> "list[str]":
        """Return data that are there although the configuration is not ours."""
        path, sign = self.spec["configuration"], self.spec["sign"]
        if not path or sign in (read(path) or ""):
            return []
        held = [name for name in self.spec["data"] if _bytes(at(name)) > _EMPTY_BYTES]
        return [
            f"{name} holds data, and {path} is not fhirstack's: move them away, or let them go"
            for name in held
        ]


def _sockets_of(pid: str) -> "set[str]":
    """Return the inodes of a process's sockets."""
    directory = at(f"/proc/{pid}/fd")
    found = set()
    with contextlib.suppress(OSError):
        for handle in os.listdir(directory) if pid else ():
            held = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"{directory}/{handle}"))
            if held:
                found.add(held[1])
    return found


def _unit(pid: int) -> str:
    """Return in which unit of systemd a process is, for people."""
    text = read(f"/proc/{pid}/cgroup") or ""
    # The old control groups have a line for each controller.
    found = re.findall(r"/([^/\n]+\.(?:service|scope))(?:/|$)", text, re.MULTILINE)
    return f", {found[-1]}" if found else ""


def _of_unit(pid: int, unit: str) -> bool:
    return f"/{unit}" in (read(f"/proc/{pid}/cgroup") or "")


def _bytes(path: str) -> int:
    """Return the bytes of a file, or of all files below a directory."""
    if not os.path.isdir(path):
        return os.path.getsize(path) if os.path.exists(path) else 0
    held: Any = os.walk(path)
    return sum(os.path.getsize(os.path.join(where, n)) for where, _, names in held for n in names)
