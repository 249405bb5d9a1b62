"""A path that must lie on a disk of its own: what serves it stands still while the disk is missing.

What is written to the root file system in its place is hidden as soon as the disk is back, and
fills a disk that the system needs.
"""

import os

from fhirstack.planes.hosts.agent.base import AgentError, Change, Resource, at, read, run
from fhirstack.planes.hosts.agent.mounts import decoded


class Holder:
    """The file system that holds a path: where it is mounted, and the kernel's number for it."""

    def __init__(self, mount: str, device: str, type_: str) -> None:
        self.mount = mount
        self.device = device
        self.type = type_


def holders(path: str) -> "list[Holder]":
    """Return the file systems that lie at a path or above it: the uppermost last, `/` first."""
    found = []
    for line in (read("/proc/self/mountinfo") or "").splitlines():
        first, _, second = line.partition(" - ")
        fields = first.split()
        one = Holder(decoded(fields[4]), fields[2], second.split()[0])
        if f"{path}/".startswith(f"{one.mount.rstrip('/')}/"):
            found.append(one)
    # What was mounted later at one place lies above; a sort keeps that order.
    return sorted(found, key=lambda one: len(one.mount))


class Storage(Resource):
    """A path on a disk of its own."""

    kind = "storage"

    def fault(self) -> str:
        """Return why the path is not on its disk; empty where it is."""
        path, wanted = self.spec["path"], self.spec["mount"]
        found = holders(path)
        if any(one.type == "autofs" for one in found):
            # An automount stands there until somebody looks: what it mounts comes after it.
            os.path.exists(at(f"{path}/."))
            found = [one for one in holders(path) if one.type != "autofs"]
        last = found[-1] if found else Holder("/", "", "")
        roots = {one.device for one in found if one.mount == "/"}
        place = wanted or f"{path} or above"
        if last.mount == "/" or last.device in roots:
            return f"no disk is mounted at {place}: it lies on the root file system"
        if wanted and not f"{last.mount}/".startswith(f"{wanted.rstrip('/')}/"):
            return f"no disk is mounted at {place}: it lies on what is mounted at {last.mount}"
        return ""

    def plan(self) -> "list[Change]":
        fault = self.fault()
        return [self.change("create", reason=fault)] if fault else []

    def apply(self, changes: "list[Change]") -> None:
        place = self.spec["mount"] or self.spec["path"]
        for name in self.spec["services"]:
            run(["systemctl", "stop", name], check=False)
        raise AgentError(
            f"{self.fault()}; nothing was made there and nothing is shared: mount the external"
            f" storage at {place}, by /etc/fstab, then apply again"
        )
