"""Data of this environment on a host that has no use for them any more: its role was another."""

import glob
import os

from fhirstack.planes.hosts.agent.base import Change, Resource, at
from fhirstack.planes.hosts.agent.clusters import PostgresqlCluster
from fhirstack.planes.hosts.agent.mounts import holders

_CLUSTERS = "/var/lib/postgresql"


class LeftData(Resource):
    """What an earlier role left here. It is told, and never changed."""

    kind = "left-data"

    def plan(self) -> "list[Change]":
        # No sizes: a server that still runs would make every plan another one.
        return [
            self.change("report", before=path, reason=f"{what} stay behind here. {remedy}")
            for path, what, remedy in (*self._clusters(), *self._directories())
        ]

    def _clusters(self) -> "list[tuple[str, str, str]]":
        if not self.spec["postgresql"]:
            return []
        found = []
        for path in sorted(glob.glob(glob.escape(at(_CLUSTERS)) + "/*/*/PG_VERSION")):
            version, name = path.split("/")[-3:-1]
            cluster = PostgresqlCluster({"address": "", "cluster": f"{version}/{name}"})
            cluster.identity = self.identity
            mark = cluster.mark()
            ours = cluster.ours() if mark is None else cluster.is_ours(mark)
            if ours and not cluster.empty():
                runs = os.path.exists(at(f"{cluster.data}/postmaster.pid"))
                drop = f"`pg_dropcluster --stop {version} {name}`"
                found.append(
                    (
                        cluster.data,
                        f"the environment's databases{', on a server that runs,' if runs else ''}",
                        f"Take them along (`pg_dumpall`, or a backup); if they may go: {drop}",
                    )
                )
        return found

    def _directories(self) -> "list[tuple[str, str, str]]":
        return [
            (path, "the environment's backups", "Take them along, or remove them if they may go")
            for path in self.spec["directories"]
            if self._holds(path)
        ]

    def _holds(self, path: str) -> bool:
        """Tell whether a directory has something of its own: another host's is only mounted."""
        try:
            if os.lstat(at(path)).st_uid != self.spec["uid"]:
                return False
            mounted = holders(path)
            if mounted and mounted[-1].type.startswith(("nfs", "autofs", "fuse")):
                return False
            return bool(set(os.listdir(at(path))) - {"lost+found"})
        except (FileNotFoundError, NotADirectoryError):
            return False
