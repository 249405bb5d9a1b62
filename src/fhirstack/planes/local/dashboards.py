"""Superset's set-up on a local stack: its schema, permissions, roles and dashboards."""

import json
import subprocess
from typing import Any

from fhirstack.bundle.programs import last_lines
from fhirstack.errors import UnreachableError
from fhirstack.planes.local.platform import Platform
from fhirstack.planes.plane import Action, Change
from fhirstack.services import superset

PLANE = "superset"
FAILED = 2


def plan(platform: Platform) -> list[Change]:
    """Return what the set-up program would change; it only needs PostgreSQL."""
    return _changes(_run(platform, check=True))


def converge(platform: Platform) -> list[Change]:
    """Run the set-up program. Raises UnreachableError with what it said."""
    return _changes(_run(platform, check=False))


def _run(platform: Platform, *, check: bool) -> dict[str, Any]:
    log = platform.stack.path("log", "superset-setup.log")
    with log.open("ab") as errors:
        finished = subprocess.run(
            superset.setup_command(platform.context, check=check),
            cwd=platform.stack.path("run"),
            env={
                "PATH": "/usr/bin:/bin",
                "LANG": "C.UTF-8",
                **superset.environment(platform.context),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            check=False,
            **platform.owner.process_options,
        )
    if finished.returncode >= FAILED or not finished.stdout:
        raise UnreachableError(
            f"Superset's set-up ended with {finished.returncode}. Its last lines:\n"
            + last_lines(log),
            remedy=f"The whole log: {log}",
        )
    found: dict[str, Any] = json.loads(finished.stdout)
    return found


def _changes(report: dict[str, Any]) -> list[Change]:
    changed = [
        Change(PLANE, _address(change), Action(change["action"]), reason=change["reason"])
        for change in report["changes"]
    ]
    kept = "somebody uses it: left as it is"
    return changed + [
        Change(PLANE, _address(change), Action.REPORT, reason=kept) for change in report["kept"]
    ]


def _address(change: dict[str, str]) -> str:
    return f"{change['kind']}/{change['title']}"
