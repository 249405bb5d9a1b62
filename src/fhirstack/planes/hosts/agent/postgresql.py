"""PostgreSQL runs with what its files declare, and with nothing else."""

import json
import os
import re
import time
from typing import Any

from fhirstack.planes.hosts.agent.base import AgentError, Change, Resource, at, read, run, write

_AUTO = "postgresql.auto.conf"
_SECRETS = ("primary_conninfo", "ssl_passphrase_command")
_WAITS = "waits for a restart"
_RELOAD_LIMIT = 10
"""Seconds until the server has read its files again."""

_OBSERVE = """
SELECT json_build_object('loaded', extract(epoch FROM pg_conf_load_time()), 'settings',
  coalesce(json_agg(row_to_json(found)), '[]'))
FROM (
  SELECT coalesce(lower(file.name), lower(now.name), '') AS name, file.setting, file.sourcefile,
    file.sourceline, file.error, now.source, coalesce(now.pending_restart, false) AS pending,
    coalesce(now.context = 'postmaster', false) AS at_start
  FROM (
    SELECT DISTINCT ON (lower(name)) * FROM pg_file_settings ORDER BY lower(name), seqno DESC
  ) AS file
  FULL JOIN pg_settings AS now ON lower(now.name) = lower(file.name)
  WHERE file.seqno IS NOT NULL OR now.pending_restart
) AS found
"""
"""The last line of the files for each setting, and what the server says of it.

PostgreSQL itself compares: ``error`` is set where a value is not valid, or takes a restart.
"""

_AT_RESTART = "setting could not be applied"
"""The error in pg_file_settings of a value that only a start applies, or that is not valid."""


class PostgresqlSettings(Resource):
    """The settings of a cluster of Debian's ``postgresql-common``."""

    kind = "postgresql-settings"

    @property
    def place(self) -> str:
        """The directory of its files."""
        return f"/etc/postgresql/{self.spec['cluster']}"

    def plan(self) -> "list[Change]":
        try:
            cluster = self.cluster()
        except AgentError as error:
            return [self.change("update", reason=str(error))]
        if cluster is None:
            return []
        changes = [
            self.change("delete", before=shown, reason=f"ALTER SYSTEM set {name}")
            for name, shown in self.altered(cluster)
        ]
        if cluster["running"]:
            changes += self.faults(self.observed(cluster))
        return changes

    def cluster(self) -> "dict[str, Any] | None":
        """Return the cluster's port, whether it runs and where its data are; None without one.

        Raises AgentError where the files cannot be read as settings at all.
        """
        version, name = self.spec["cluster"].split("/")
        listed = run(["pg_lsclusters", "--no-header"], check=False)
        if listed.returncode not in (0, 127):
            raise AgentError(f"{listed.stderr.strip()}: correct the files")
        for line in listed.stdout.splitlines():
            words = line.split()
            if words[:2] == [version, name]:
                running = words[3].startswith("online")
                return {"port": words[2], "running": running, "data": words[5]}
        return None

    def altered(self, cluster: "dict[str, Any]") -> "list[tuple[str, str]]":
        """Return what ALTER SYSTEM set: each name, and its value where it can be shown."""
        lines = (read(f"{cluster['data']}/{_AUTO}") or "").splitlines()
        found = [re.match(r"\s*([\w.]+)\s*=?\s*(.*)", line) for line in lines]
        return [(m[1], "***" if m[1] in _SECRETS else m[2]) for m in found if m]

    def psql(self, cluster: "dict[str, Any]", sql: str) -> str:
        """Run SQL as the cluster's owner over its own socket."""
        options = ["-X", "-qAt", "-v", "ON_ERROR_STOP=1", "-d", "postgres"]
        place = ["-h", "/var/run/postgresql", "-p", cluster["port"]]
        # Not the psql in the path: that is a script which is slow to start.
        program = f"{self.programs}/psql"
        return run(["runuser", "-u", "postgres", "--", program, *options, *place], text=sql).stdout

    @property
    def programs(self) -> str:
        """Where Debian keeps the programs of the cluster's version."""
        return f"/usr/lib/postgresql/{self.spec['cluster'].split('/')[0]}/bin"

    def observed(self, cluster: "dict[str, Any]") -> "dict[str, Any]":
        """Return when the files were loaded, and the settings in them."""
        found: dict[str, Any] = json.loads(self.psql(cluster, _OBSERVE))
        return found

    def faults(self, observed: "dict[str, Any]") -> "list[Change]":
        """Return how the running server differs from what is declared and what its files say."""
        found = {each["name"]: each for each in observed["settings"]}
        changes = []
        for name in sorted({*found, *map(str.lower, self.spec["settings"])}):
            reason, restart = self.fault(name, found.get(name))
            if reason:
                changes.append(self.change("update", reason=reason, disrupts=restart))
        files = sorted({each["sourcefile"] for each in found.values() if each["sourcefile"]})
        if not changes and self.written(files) > observed["loaded"]:
            changes.append(self.change("update", reason="its files were written, and not loaded"))
        return changes

    def fault(self, name: str, found: "dict[str, Any] | None") -> "tuple[str, bool]":
        """Return what is wrong with a setting, if anything, and whether it takes a restart."""
        declared = {n.lower(): value for n, value in self.spec["settings"].items()}
        if found is None or (name in declared and found["setting"] is None):
            return f"no file sets {name}", bool(found and found["at_start"])
        place = f"{found['sourcefile']}:{found['sourceline']}"
        at_start = found["at_start"] and _AT_RESTART in (found["error"] or "")
        if found["pending"] or at_start:
            return f"{name} {_WAITS}", True
        if found["error"]:
            return f"{place}: {name}: {found['error']}", False
        if name in declared and found["setting"] != declared[name]:
            return f"{name} is set to another value by {place}", bool(found["at_start"])
        if name in declared and found["source"] == "command line":
            return f"{name} was given when the server was started; it {_WAITS}", True
        return "", False

    def written(self, files: "list[str]") -> float:
        """Return when the configuration's files were last changed, or put back as they were."""
        own = (f"{self.place}/postgresql.conf", f"{self.place}/conf.d")
        paths = [at(path) for path in (*own, *files)]
        return max((os.path.getctime(path) for path in paths if os.path.exists(path)), default=0)

    def apply(self, changes: "list[Change]") -> None:
        cluster = self.cluster()
        if cluster is None:
            return
        if not cluster["running"]:
            self.empty_auto(f"{cluster['data']}/{_AUTO}")
            return
        if self.altered(cluster):
            self.psql(cluster, "ALTER SYSTEM RESET ALL")
        self.refuse_faults([c for c in self.reload(cluster) if not _waits(c)])
        if any(c.disrupts for c in changes) and self.faults(self.observed(cluster)):
            # Without a disruption in the plan nobody agreed to it: the next plan shows it.
            self.restart()
            self.refuse_faults(self.faults(self.observed(cluster)))

    def restart(self) -> None:
        """Restart the server, if it can start with its files: a value may not be valid."""
        check = [f"{self.programs}/postgres", "-D", self.place, "-C", "port"]
        try:
            run(["runuser", "-u", "postgres", "--", *check])
        except AgentError as error:
            raise AgentError(
                f"PostgreSQL would not start, so it goes on as it is: {error}"
            ) from None
        run(["systemctl", "restart", "postgresql@" + self.spec["cluster"].replace("/", "-")])

    def refuse_faults(self, left: "list[Change]") -> None:
        """Raise AgentError for what neither a reload nor a restart puts right."""
        if left:
            reasons = "; ".join(change.reason for change in left)
            raise AgentError(f"PostgreSQL {self.spec['cluster']}: {reasons}: correct the files")

    def reload(self, cluster: "dict[str, Any]") -> "list[Change]":
        """Have the files read again; return what differs still."""
        before = self.observed(cluster)["loaded"]
        self.psql(cluster, "SELECT pg_reload_conf()")
        limit = time.monotonic() + _RELOAD_LIMIT
        while True:
            observed = self.observed(cluster)
            if observed["loaded"] > before or time.monotonic() > limit:
                return self.faults(observed)
            time.sleep(0.1)

    def empty_auto(self, path: str) -> None:
        """Take everything out of the file of ALTER SYSTEM, of a server that does not run."""
        found = os.stat(at(path))
        write(path, "# Do not edit this file manually!\n", 0o600, found.st_uid, found.st_gid)


def _waits(change: Change) -> bool:
    return change.reason.endswith(_WAITS)
