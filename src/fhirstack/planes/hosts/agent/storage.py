"""A path that must lie on a disk of its own: what serves it stands still while the disk is missing.

What is written to the root file system in its place is hidden as soon as the disk is back, and
fills a disk that the system needs.
"""

import os

from fhirstack.planes.hosts.agent.base import AgentError, Change, Resource, at, run
from fhirstack.planes.hosts.agent.mounts import holders


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
        roots = {one.device for one in found if one.place == "/"}
        place = wanted or f"{path} or above"
        last = found[-1] if found else None
        if last is None or last.place == "/" or last.device in roots:
            return f"no disk is mounted at {place}: it lies on the root file system"
        if wanted and not f"{last.place}/".startswith(f"{wanted.rstrip('/')}/"):
            return f"no disk is mounted at {place}: it lies on what is mounted at {last.place}"
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
