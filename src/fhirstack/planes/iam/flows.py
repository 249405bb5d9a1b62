"""Authentication flows: that a log-in asks for what it must.

Keycloak's own flows cannot be added to, but each step of them can be switched off by hand: a
password that is not asked for is one click.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from fhirstack.planes.iam.observed import Observed, change
from fhirstack.planes.plane import Action, Change

BINDINGS = {
    "browserFlow": "browser",
    "directGrantFlow": "direct grant",
    "clientAuthenticationFlow": "clients",
}
"""Which flow the realm uses for what; declared with the realm's own settings."""

REQUIREMENTS = {
    "browser": {
        "Cookie": "ALTERNATIVE",
        "Kerberos": "DISABLED",
        "forms": "ALTERNATIVE",
        "forms/Username Password Form": "REQUIRED",
        "forms/Browser - Conditional 2FA": "CONDITIONAL",
    },
    "direct grant": {
        "Username Validation": "REQUIRED",
        "Password": "REQUIRED",
        "Direct Grant - Conditional OTP": "CONDITIONAL",
    },
}
"""Steps of Keycloak 26's flows that decide who gets in, as it ships them."""


def plan(observed: Observed) -> list[Change]:
    """Compare the steps of the flows; a new realm has them as they must be."""
    changes: list[Change] = []
    for flow, wanted in REQUIREMENTS.items():
        path = f"/authentication/flows/{quote(flow)}/executions"
        for name, step in _named(observed.get(path) or []).items():
            requirement = wanted.get(name, step["requirement"])
            if step["requirement"] != requirement:
                apply = _put(observed, path, {**step, "requirement": requirement})
                address = f"flows/{flow}/{name}"
                changes.append(
                    change(address, Action.UPDATE, step["requirement"], requirement, apply)
                )
    return changes


def _put(observed: Observed, path: str, step: dict[str, Any]) -> Callable[[], None]:
    return lambda: observed.admin.put(observed.path + path, step)


def _named(steps: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return steps by their place: a list in order, each with its depth, is a tree."""
    found: dict[str, dict[str, Any]] = {}
    above: list[str] = []
    for step in steps:
        above[step["level"] :] = [step["displayName"]]
        found["/".join(above)] = step
    return found
