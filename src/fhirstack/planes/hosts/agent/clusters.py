"""Whose PostgreSQL cluster it is: made with our options, marked as the environment's, or refused.

The mark is a file in the data directory, so it is the data's: it goes with a physical copy of them
(a base backup, a restore) and with nothing else. The plane ``databases`` reads it by SQL.
"""

import contextlib
import json
import os
from typing import Any

from fhirstack.planes.hosts.agent.base import (
    AgentError,
    Change,
    Resource,
    at,
    entries,
    read,
    run,
    write,
)

MARK = "fhirstack.json"
_FIRST_OWN = 16384
"""Numbers of databases and tables below it are PostgreSQL's own."""
_LOOK = (
    "SELECT json_build_array(pg_encoding_to_char(encoding), datcollate, datctype)"
    " FROM pg_database WHERE datname = 'template1'"
)


class PostgresqlCluster(Resource):
    """A cluster of Debian's ``postgresql-common`` that is this environment's alone."""

    kind = "postgresql-cluster"

    def plan(self) -> "list[Change]":
        self.was_there = self.made()
        others = self.others()
        told = (
            [self.change("report", reason=f"other clusters are there: {', '.join(others)}")]
            if others
            else []
        )
        fault = self.fault()
        if fault:
            return [self.change("update", reason=fault), *told]
        if not self.was_there:
            reason = "there is none: an empty one is made"
            return [self.change("create", after=self.spec["options"], reason=reason), *told]
        if self.mark() is None:
            reason = (
                "it is empty, and becomes this environment's"
                if self.empty()
                else "an earlier release made it: it is marked as this environment's"
            )
            return [self.change("update", after=self.whose, reason=reason), *told]
        return told

    was_there = False

    @property
    def whose(self) -> "dict[str, str]":
        """What the mark says of a cluster of this environment."""
        keys = ("programme", "environment")
        return {key: self.identity[key] for key in keys if key in self.identity}

    @property
    def data(self) -> str:
        """The data directory."""
        return f"/var/lib/postgresql/{self.spec['cluster']}"

    @property
    def configuration(self) -> str:
        """The main file of its configuration."""
        return f"/etc/postgresql/{self.spec['cluster']}/postgresql.conf"

    def made(self) -> bool:
        """Tell whether there is a cluster, or a part of one."""
        return any(os.path.exists(at(p)) for p in (f"{self.data}/PG_VERSION", self.configuration))

    def mark(self, data: str = "") -> "dict[str, Any] | None":
        """Return what the mark of a data directory says; None without one."""
        text = read(f"{data or self.data}/{MARK}")
        if text is None:
            return None
        with contextlib.suppress(ValueError):
            found = json.loads(text)
            if isinstance(found, dict):
                return found
        return {}

    def is_ours(self, mark: "dict[str, Any] | None") -> bool:
        """Tell whether a mark is this environment's. Preflight does not know the programme."""
        return mark is not None and self.whose.items() <= mark.items()

    def others(self) -> "list[str]":
        """Return the other clusters of this host, as ``version/name``."""
        found = []
        for version in entries("/etc/postgresql"):
            found += [f"{version}/{name}" for name in entries(f"/etc/postgresql/{version}")]
        return sorted(set(found) - {self.spec["cluster"]})

    def strangers(self) -> "list[str]":
        """Return why the cluster must not be written to, if so: for preflight."""
        fault = self.fault()
        return [fault] if fault else []

    def fault(self) -> str:
        """Return why the cluster must not be written to, with the remedy; empty: it may be."""
        mark = self.mark()
        if mark is not None and not self.is_ours(mark):
            theirs = f"{mark.get('environment')} ({mark.get('programme')})"
            return (
                f"its data are of {theirs}: move them away; if they are to be this environment's,"
                f" remove {self.data}/{MARK} and apply again"
            )
        if mark is not None:
            return ""
        return self.elsewhere() or (self.unmarked() if self.made() else "")

    def elsewhere(self) -> str:
        """Return where the environment's data are, if another version's cluster has them."""
        beside = {name: self.mark(f"/var/lib/postgresql/{name}") for name in self.others()}
        found = [name for name in beside if self.is_ours(beside[name])]
        if not found or (self.made() and not self.empty()):
            return ""
        old, own = found[0].split("/"), self.spec["cluster"].split("/")
        first = f"pg_dropcluster --stop {' '.join(own)}; " if self.made() else ""
        return (
            f"the environment's data are in the cluster {found[0]}: take them along with"
            f" `{first}pg_upgradecluster -v {own[0]} {' '.join(old)}`, or drop it if they may go"
        )

    def unmarked(self) -> str:
        """Return what is wrong with a cluster without a mark; empty: it may be marked."""
        if not os.path.exists(at(f"{self.data}/PG_VERSION")):
            name = self.spec["cluster"].replace("/", " ")
            return (
                f"it has a configuration, and no data in {self.data}: mount its disk, or restore;"
                f" if the data may go: `pg_dropcluster {name}`"
            )
        if not self.empty() and not self.ours():
            return (
                f"{self.data} holds data of others, which fhirstack did not make: give the"
                " environment another machine, or move them (`pg_dump`, `pg_renamecluster`)"
            )
        return self.other_text()

    def empty(self) -> bool:
        """Tell whether the cluster holds nothing but what PostgreSQL itself makes."""
        databases = entries(f"{self.data}/base")
        inside = [name for one in databases for name in entries(f"{self.data}/base/{one}")]
        spaces = entries(f"{self.data}/pg_tblspc")
        numbers = [name.partition(".")[0].partition("_")[0] for name in (*databases, *inside)]
        return not spaces and not any(n.isdigit() and int(n) >= _FIRST_OWN for n in numbers)

    def ours(self) -> bool:
        """Tell whether the configuration is this environment's, as releases without a mark had."""
        lines = (read(self.configuration) or "").splitlines()
        named = f"cluster_name = '{self.identity.get('environment')}'"
        return named in lines and any("/fhirstack.crt'" in line for line in lines)

    def other_text(self) -> str:
        """Return what is wrong with the encoding of a cluster that runs; empty: nothing is."""
        lines = (read(f"{self.data}/postmaster.pid") or "").splitlines()
        if len(lines) < 5:
            return ""
        program = f"/usr/lib/postgresql/{self.spec['cluster'].split('/')[0]}/bin/psql"
        place = ["-X", "-qAt", "-d", "postgres", "-h", lines[4], "-p", lines[3]]
        found = run(["runuser", "-u", "postgres", "--", program, *place], text=_LOOK, check=False)
        if found.returncode:
            return f"it does not say what it is: {found.stderr.strip()}: mend it, or drop it"
        encoding, *locales = json.loads(found.stdout)
        wanted = self.spec["encoding"], self.spec["locale"]
        other = [name for name in locales if _plain(name) != _plain(wanted[1])]
        if encoding == wanted[0] and (not other or not self.empty()):
            return ""
        seen = ", ".join(dict.fromkeys((encoding, *other)))
        remedy = (
            f"it is empty: `pg_dropcluster --stop {self.spec['cluster'].replace('/', ' ')}`, then"
            " apply makes it anew"
            if self.empty()
            else "dump its databases, drop it, apply, and restore them"
        )
        return f"it is {seen}, not {', '.join(wanted)}: {remedy}"

    def apply(self, changes: "list[Change]") -> None:
        self.refuse()
        version, name = self.spec["cluster"].split("/")
        if not self.made():
            run(["pg_createcluster", version, name, "--", *self.spec["options"]])
        elif self.was_there and not os.path.exists(at(f"{self.data}/postmaster.pid")):
            # What it is made of, only a server that runs can say.
            run(["pg_ctlcluster", version, name, "start"])
            self.refuse()
        if self.mark() is None:
            held = os.stat(at(self.data))
            text = json.dumps(self.whose) + "\n"
            write(f"{self.data}/{MARK}", text, 0o600, held.st_uid, held.st_gid)

    def refuse(self) -> None:
        """Raise AgentError where the cluster is not this environment's to change."""
        fault = self.fault()
        if fault:
            raise AgentError(fault)


def _plain(locale: str) -> str:
    """Return a locale's name in one spelling: C.UTF-8 is C.utf8."""
    return locale.lower().replace("-", "")
