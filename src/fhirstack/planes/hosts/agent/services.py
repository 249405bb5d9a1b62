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

_ENABLED = frozenset({"enabled", "enabled-runtime", "static", "indirect", "generated", "alias"})
_RUNNING = frozenset({"active", "reloading"})
SETTLE_SECONDS = 30
"""A unit that is on its way up or down gets so long before it is judged."""


def show(units: "list[str]") -> "list[dict[str, str]]":
    """Return what systemd knows of units now, with one call for all of them."""
    names = "LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload"
    out = run(["systemctl", "show", "--property", names, *units], check=False).stdout
    blocks = out.strip().split("\n\n")
    states = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in blocks]
    return states if len(states) == len(units) else [{} for _ in units]


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
        for service, state in zip(
            services, settled([service.unit for service in services]), strict=True
        ):
            service.seen = state


class Service(Resource):
    """A unit: running and enabled, or stopped and disabled, or masked."""

    kind = "service"

    @property
    def unit(self) -> str:
        name: str = self.spec["name"]
        return name if "." in name else f"{name}.service"

    seen: "dict[str, str] | None" = None
    """What `look` saw of the unit."""

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
        changes = []
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
        return changes + self.stale()

    def starts_with_package(self) -> bool:
        """Tell whether a package of an earlier resource brings the unit with it."""
        return any(
            address.startswith("package:") and address in self.earlier
            for address in self.spec["watch"]
        )

    def stale(self) -> "list[Change]":
        """Return the restart or reload that what it reads asks for."""
        noted = self.noted()
        for action, key in (("restart", "watch"), ("update", "reload_watch")):
            watched = self.spec[key]
            changing = [address for address in watched if address in self.earlier]
            if changing:
                reason = f"{changing[0]} changes"
            elif watched and noted.get(key) != self.digest(key):
                reason = "what it reads changed since it started"
            else:
                continue
            after = "restarted" if action == "restart" else "reloaded"
            disrupts = action == "restart"
            return [self.change(action, after=after, reason=reason, disrupts=disrupts)]
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

    def apply(self, changes: "list[Change]") -> None:
        state = self.observe()
        if state.get("NeedDaemonReload") == "yes":
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
        if state.get("ActiveState") not in _RUNNING:
            self.act("start", "watch", "reload_watch")
        elif any(change.action == "restart" for change in self.stale()):
            self.act("restart", "watch", "reload_watch")
        elif self.stale():
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


def _shown(state: "dict[str, str]") -> str:
    return f"{state.get('ActiveState', 'unknown')}, {state.get('UnitFileState') or 'not installed'}"
