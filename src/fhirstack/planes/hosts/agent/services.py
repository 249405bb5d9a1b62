"""Units of systemd: running, enabled, and started since what they read last changed.

What a unit was started with is noted below the agent's directory, and the note is taken away
before anything that the unit reads is changed: so an interrupted run is completed by the next.
"""

import hashlib
import json
import os
import time

from fhirstack.planes.hosts.agent.base import (
    STATE,
    AgentError,
    Change,
    Resource,
    at,
    read,
    run,
    write,
)
from fhirstack.planes.hosts.agent.processes import PROPERTIES, another, foreign_variables
from fhirstack.planes.hosts.agent.units import Disk, Stranger, away

_ENABLED = frozenset({"enabled", "enabled-runtime", "static", "indirect", "generated", "alias"})
_RUNNING = frozenset({"active", "reloading"})
_PROPERTIES = (
    "LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,Names,MainPID,"
    f"ExecMainStartTimestampMonotonic,StateChangeTimestampMonotonic,{PROPERTIES}"
)
SETTLE_SECONDS = 30
"""A unit that is on its way up or down gets so long before it is judged."""

TICK_SECONDS = 0.005
"""Times of inodes are those of the kernel's last tick: a change may bear one before itself."""


def show(units: "list[str]", properties: str = _PROPERTIES) -> "list[dict[str, str]]":
    """Return what systemd knows of units now, with one call for all of them."""
    out = run(["systemctl", "show", "--property", properties, *units], check=False).stdout
    blocks = out.strip().split("\n\n")
    states = [_properties(block) for block in blocks]
    return states if len(states) == len(units) else [{} for _ in units]


def _properties(block: str) -> "dict[str, str]":
    """Return properties by name; one that is told in several lines has them all."""
    found: "dict[str, str]" = {}
    for line in block.splitlines():
        name, _, value = line.partition("=")
        found[name] = f"{found[name]}\n{value}" if name in found else value
    return found


def settled(units: "list[str]") -> "list[dict[str, str]]":
    """Return what systemd knows of units, once none is on its way up or down, or the time is up.

    One that systemd starts again and again is not waited for.
    """
    limit = time.monotonic() + SETTLE_SECONDS
    states = show(units)
    while any(map(_moving, states)) and time.monotonic() < limit:
        time.sleep(0.1)
        states = show(units)
    return states


def _moving(state: "dict[str, str]") -> bool:
    moves = state.get("ActiveState") in ("activating", "reloading", "deactivating")
    return moves and not _crashes(state)


def _crashes(state: "dict[str, str]") -> bool:
    """Tell whether systemd waits to start a unit again that ended by itself."""
    return state.get("SubState", "").startswith("auto-restart")


def look(services: "list[Service]") -> None:
    """Look at all units at once, for the plans that follow: a call each would take longer."""
    if services:
        disk = Disk()
        for service, state in zip(
            services, settled([service.unit for service in services]), strict=True
        ):
            service.seen = state
            service.disk = disk


class Service(Resource):
    """A unit: running and enabled, or stopped and disabled, or masked."""

    kind = "service"

    @property
    def unit(self) -> str:
        name: str = self.spec["name"]
        return name if "." in name else f"{name}.service"

    seen: "dict[str, str] | None" = None
    """What `look` saw of the unit."""
    disk: "Disk | None" = None
    """The files of all units, as `look` found them."""

    def foreign(self, state: "dict[str, str]", disk: "Disk | None" = None) -> "list[Stranger]":
        """Return the files of others that make the unit another than the declared one."""
        aliases = [name for name in state.get("Names", "").split() if name != self.unit]
        packages = [x[8:] for x in self.spec["watch"] if x.startswith("package:")]
        return (disk or Disk()).strangers(self.unit, aliases, self.digests, packages)

    def observe(self) -> "dict[str, str]":
        """Return what systemd knows of the unit: LoadState, ActiveState, UnitFileState."""
        return settled([self.unit])[0]

    def plan(self) -> "list[Change]":
        state = self.observe() if self.seen is None else self.seen
        active = state.get("ActiveState") in _RUNNING
        masked = state.get("UnitFileState", "").startswith("masked")
        if self.spec["masked"]:
            if masked and not active:
                return []
            return [self.change("stop", before=_shown(state), after="masked", disrupts=active)]
        if not self.spec["running"]:
            if not active and (not self.enabled(state) or self.spec["enabled"]):
                return []
            return [self.change("stop", before=_shown(state), after="stopped", disrupts=active)]
        return self.differing(state)

    def differing(self, state: "dict[str, str]") -> "list[Change]":
        """Return how a unit that is to run differs: its files, whether it runs, since when."""
        active = state.get("ActiveState") in _RUNNING
        masked = state.get("UnitFileState", "").startswith("masked")
        strangers = self.foreign(state, self.disk)
        changes = [stranger.change for stranger in strangers]
        there = state.get("LoadState") in ("loaded", "masked") and not self.starts_with_package()
        if there and self.spec["enabled"] and not self.enabled(state):
            reason = "it is masked" if masked else "it does not start at boot"
            changes.append(
                self.change("update", before=state["UnitFileState"], after="enabled", reason=reason)
            )
        if not active:
            how = "does not stay up" if _crashes(state) else f"is {state['ActiveState']}"
            reason = f"it {how}" if there else ""
            return [*changes, self.change("start", reason=reason)]
        if _runs(state) and any(not stranger.harmless for stranger in strangers):
            reason = "it runs with what others changed in its unit"
            return [*changes, self.change("restart", reason=reason, disrupts=True)]
        return changes + self.stale(state)

    def starts_with_package(self) -> bool:
        """Tell whether a package of an earlier resource brings the unit with it."""
        return any(
            address.startswith("package:") and address in self.earlier
            for address in self.spec["watch"]
        )

    def stale(self, state: "dict[str, str]") -> "list[Change]":
        """Return the restart or reload that what it reads, or what runs in its place, asks for."""
        noted = self.noted()
        for action, key in (("restart", "watch"), ("update", "reload_watch")):
            watched = self.spec[key]
            changing = [address for address in watched if address in self.earlier]
            if changing:
                reason = f"{changing[0]} changes"
            elif watched and noted.get(key) != self.digest(key):
                reason = "what it reads changed since it started"
            elif late := self.late(state, key):
                reason = f"{late} was changed after it was last read"
            else:
                continue
            after = "restarted" if action == "restart" else "reloaded"
            disrupts = action == "restart"
            return [self.change(action, after=after, reason=reason, disrupts=disrupts)]
        if reason := _unread(state) or another(state):
            return [self.change("restart", after="restarted", reason=reason, disrupts=True)]
        return []

    def enabled(self, state: "dict[str, str]") -> bool:
        """Tell whether the unit starts at boot, or need not be told to."""
        return state.get("UnitFileState", "") in _ENABLED

    def digest(self, key: str) -> str:
        """Return a digest of what is declared of the resources that it watches."""
        parts = [f"{address}={self.digests.get(address)}" for address in sorted(self.spec[key])]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    @property
    def note(self) -> str:
        return f"{STATE}/started/{self.unit}.json"

    def late(self, state: "dict[str, str]", key: str) -> str:
        """Return a file that was changed after the process read it, whatever it says now.

        Its inode's time counts, which nobody sets: who edits a file, has it read and puts it back
        with its times leaves a process with what is no longer on the disk.
        """
        if not _runs(state):
            return ""
        names = ["ExecMainStartTimestampMonotonic"]
        names += ["StateChangeTimestampMonotonic"] if key == "reload_watch" else []
        read_at = max(int(state.get(name) or 0) for name in names) / 1e6
        # Since the boot, as systemd counts: steps of the clock move neither.
        now = time.time()
        read_at += now - time.monotonic()
        for address in self.spec[key]:
            if address.startswith("file:"):
                changed = _changed(address[5:])
                # What lies ahead was written before the clock was set back: it tells nothing.
                if read_at - TICK_SECONDS < changed <= now:
                    return str(address)
        return ""

    def noted(self) -> "dict[str, str]":
        """Return the digests that the unit was last started or reloaded with."""
        try:
            found = json.loads(read(self.note) or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def take_note(self, *keys: str) -> None:
        """Note that the unit now runs with what is declared."""
        noted = self.noted() | {key: self.digest(key) for key in keys}
        os.makedirs(at(os.path.dirname(self.note)), mode=0o700, exist_ok=True)
        write(self.note, json.dumps(noted), 0o600)

    def drop_note(self, address: str) -> None:
        """Forget what the unit was started with, since a resource that it reads changes now."""
        noted = self.noted()
        rest = {key: noted[key] for key in noted if address not in self.spec[key]}
        if rest != noted:
            write(self.note, json.dumps(rest), 0o600)

    def guarded_paths(self) -> "list[str]":
        return [s.path for s in self.foreign(self.observe()) if not s.harmless and not s.package]

    def undo(self) -> "list[str]":
        """Return what has systemd read its files again, where those of the unit are put back."""
        if not self.guarded_paths():
            return []
        return ["systemctl daemon-reload", f"systemctl restart {self.unit}"]

    def apply(self, changes: "list[Change]") -> None:
        state = self.observe()
        strangers = []
        if self.spec["running"] and not self.spec["masked"]:
            strangers = [s for s in self.foreign(state) if not s.harmless]
        if strangers:
            away(strangers)
        elif state.get("NeedDaemonReload") == "yes":
            run(["systemctl", "daemon-reload"])
        if self.spec["masked"]:
            run(["systemctl", "disable", "--now", self.unit], check=False)
            run(["systemctl", "mask", "--now", self.unit])
            return
        if not self.spec["running"]:
            run(["systemctl", "disable", "--now", self.unit])
            return
        if state.get("UnitFileState", "").startswith("masked"):
            run(["systemctl", "unmask", self.unit])
        if self.spec["enabled"] and not self.enabled(state):
            run(["systemctl", "enable", self.unit])
        if names := foreign_variables(state):
            # Where systemd itself was given them, each start would have them again.
            run(["systemctl", "unset-environment", *names])
        if state.get("ActiveState") not in _RUNNING:
            self.act("start", "watch", "reload_watch")
        elif (strangers and _runs(state)) or any(c.action == "restart" for c in self.stale(state)):
            self.act("restart", "watch", "reload_watch")
        elif self.stale(state):
            self.act("reload-or-restart", "reload_watch")

    def act(self, verb: str, *keys: str) -> None:
        """Start, restart or reload; wait until it runs. Raises AgentError with its last lines."""
        run(["systemctl", "reset-failed", self.unit], check=False)
        done = run(["systemctl", verb, self.unit], check=False)
        state = self.observe().get("ActiveState")
        if done.returncode or state not in _RUNNING:
            last = run(
                ["journalctl", "--no-pager", "--lines=5", "--output=cat", f"--unit={self.unit}"],
                check=False,
            ).stdout.strip()
            raise AgentError(f"{self.unit} does not {verb}: it is {state}. Its last lines:\n{last}")
        self.take_note(*keys)


def _runs(state: "dict[str, str]") -> bool:
    """Tell whether a process of the unit runs: others (timers, rules loaded once) read no more."""
    return state.get("MainPID", "0") != "0"


def _unread(state: "dict[str, str]") -> str:
    """Return why a running unit may be another than its files say; empty where it is not."""
    behind = state.get("NeedDaemonReload") == "yes" and _runs(state)
    return "its unit's files changed since systemd read them" if behind else ""


def _changed(path: str) -> float:
    try:
        return os.stat(at(path)).st_ctime
    except OSError:
        return 0


def _shown(state: "dict[str, str]") -> str:
    return f"{state.get('ActiveState', 'unknown')}, {state.get('UnitFileState') or 'not installed'}"
