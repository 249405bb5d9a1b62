"""Units of systemd that a timer starts, such as a renewal: whether the last run worked.

One that is tried again and again, each time after a while, is in no failed state between: it is
``activating``, and so it is while it runs. What tells is that systemd started it by itself.
"""

from typing import Any

from fhirstack.planes.hosts.agent.base import Change, Resource, run
from fhirstack.planes.hosts.agent.services import show

_PROPERTIES = "LoadState,ActiveState,SubState,UnitFileState,Result,NRestarts,ExecMainExitTimestamp"


def states(units: "list[str]") -> "dict[str, dict[str, str]]":
    """Return what systemd knows of units, by name; nothing where it does not say."""
    if not units:
        return {}
    found = dict(zip(units, show(units, _PROPERTIES), strict=True))
    return {unit: state for unit, state in found.items() if state}


def fails(state: "dict[str, str]") -> bool:
    """Tell whether a unit's last run failed; one that is tried again has failed until it works."""
    if state.get("ActiveState") == "failed" or state.get("Result", "success") != "success":
        return True
    return state.get("ActiveState") == "activating" and state.get("NRestarts", "0") != "0"


class Job(Resource):
    """A unit that a timer starts: a failed run is a difference; to put it right is to try again."""

    kind = "job"

    def plan(self) -> "list[Change]":
        unit: str = self.spec["name"]
        state: "dict[str, Any]" = states([unit]).get(unit, {})
        if not fails(state):
            return []
        # Nothing in it may pass: between a plan and its apply it may be tried again.
        reason = f"its last run failed: `journalctl -u {unit}` tells why"
        return [self.change("start", after="tried again", reason=reason)]

    def apply(self, changes: "list[Change]") -> None:
        unit: str = self.spec["name"]
        run(["systemctl", "reset-failed", unit], check=False)
        # It may take minutes and fail for a cause that is not here: apply does not wait for it.
        run(["systemctl", "restart", "--no-block", unit])
