"""What others run or leave for themselves on a host: told, since only people can judge it."""

import os
import stat

from fhirstack.planes.hosts.agent.accounts import accounts
from fhirstack.planes.hosts.agent.base import AgentError, Change, Resource, at, read
from fhirstack.planes.hosts.agent.dpkg import unowned

_CRON = ("/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly",
         "/etc/cron.monthly")  # fmt: skip
_SPOOLS = ("/var/spool/cron/crontabs", "/var/spool/cron/atjobs")
_UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system")
_KINDS = (".service", ".timer", ".socket", ".path", ".mount", ".automount", ".swap")
_MADE = ("snap-", "snap.", "fhirstack-rollback.", "session-", "run-", "user-")
"""Units that programs make by themselves: snapd's mounts, our rollback, systemd's own."""
_SOURCES = ("/etc/apt/sources.list.d", "/etc/apt/preferences.d")


class Strangers(Resource):
    """Jobs, units and keys that no package brought and nobody declares."""

    kind = "strangers"

    def plan(self) -> "list[Change]":
        return [
            *self.jobs(),
            *self.units(),
            *self.keys(),
            *self.sources(),
        ]

    def apply(self, changes: "list[Change]") -> None:
        """Change nothing: it is only told."""

    def told(self, path: str, reason: str) -> Change:
        return Change(f"file:{path}", "report", reason=reason)

    def jobs(self) -> "list[Change]":
        """Return jobs of cron and at."""
        paths = [f"{top}/{name}" for top in _CRON for name in _files(top)]
        strange = unowned([p for p in paths if p not in self.spec["declared"]])
        spooled = [f"{top}/{name}" for top in _SPOOLS for name in _files(top)]
        return [self.told(path, "a job of cron that no package brought") for path in strange] + [
            self.told(path, f"a job that {os.path.basename(path)} has")
            if "crontabs" in path
            else self.told(path, "a job of at")
            for path in spooled
            if not os.path.basename(path).startswith(".")
        ]

    def units(self) -> "list[Change]":
        """Return units of systemd; those that are links to a package's are none."""
        paths = [
            f"{top}/{name}"
            for top in _UNITS
            for name in _files(top)
            if name.endswith(_KINDS) and not name.startswith(_MADE)
        ]
        return [
            self.told(path, "a unit that no package brought")
            for path in unowned([p for p in paths if p not in self.spec["declared"]])
        ]

    def keys(self) -> "list[Change]":
        """Return keys that sshd does not read, beside those that the site has for the account."""
        changes = []
        for account in accounts().values():
            if not account.home.startswith("/"):
                continue
            for ending in ("", "2"):
                path = f"{account.home.rstrip('/')}/.ssh/authorized_keys{ending}"
                try:
                    text = read(path) or ""
                except (AgentError, OSError):
                    continue
                if account.name in self.spec["read"]:
                    changes += self.shared(path, text)
                    continue
                known = {key.split()[1] for key in self.spec["keys"] if len(key.split()) > 1}
                lines = [one for one in text.splitlines() if one.strip() and one[0] != "#"]
                others = [one for one in lines if not known & set(one.split())]
                if others:
                    reason = (
                        f"{len(others)} keys that the site does not have; sshd does not read it"
                    )
                    changes.append(self.told(path, reason))
        return changes

    def shared(self, path: str, text: str) -> "list[Change]":
        """Return the keys of the tool's account, where the site leaves them to the host."""
        lines = [one for one in text.splitlines() if one.strip() and one[0] != "#"]
        if len(lines) < 2:
            return []
        reason = (
            f"{len(lines)} keys let in with all rights, and the site names none:"
            " write those that may stay to `access.keys`"
        )
        return [self.told(path, reason)]

    def sources(self) -> "list[Change]":
        """Return sources of packages that nobody's signature vouches for, and pins."""
        changes = []
        names = [f"{_SOURCES[0]}/{name}" for name in _files(_SOURCES[0])]
        for path in ("/etc/apt/sources.list", *names):
            plain = [line.partition("#")[0].lower() for line in (read(path) or "").splitlines()]
            flat = [line.replace(" ", "").replace("\t", "") for line in plain]
            if any(word in line for line in flat for word in _UNSIGNED):
                changes.append(self.told(path, "packages are taken from it without a signature"))
        pins = ["/etc/apt/preferences", *(f"{_SOURCES[1]}/{n}" for n in _files(_SOURCES[1]))]
        for path in unowned([p for p in pins if (read(p) or "").strip()]):
            changes.append(self.told(path, "it pins packages: updates may not come"))
        return changes


_UNSIGNED = ("trusted=yes", "trusted:yes", "allow-insecure=yes", "allow-insecure:yes")


def _files(directory: str) -> "list[str]":
    """Return the names of regular files and foreign links of a directory, sorted."""
    try:
        names = sorted(os.listdir(at(directory)))
    except OSError:
        return []
    return [n for n in names if n[0] != "." and _is_own(f"{directory}/{n}")]


def _is_own(path: str) -> bool:
    """Tell whether something is a file of its own, and no link into what packages brought."""
    mode = os.lstat(at(path)).st_mode
    if stat.S_ISLNK(mode):
        target = os.readlink(at(path))
        target = os.path.normpath(os.path.join(os.path.dirname(path), target))
        return not target.startswith(("/usr/lib/", "/lib/", "/dev/null", "/run/systemd/"))
    return stat.S_ISREG(mode)
