"""The agent's entry: one request in, one answer out.

A request is a JSON object with ``mode`` and what the mode needs:

- ``plan``: ``resources``. Answers how the host differs.
- ``apply``: ``resources``, ``expected`` (the fingerprint of the plan that was seen), ``token`` and
  ``confirm_seconds`` for changes that may lock people out.
- ``confirm``: ``token``. Keeps such changes.
- ``undo``: puts back, at once, those of an earlier apply that nobody confirmed.
- other modes are functions of other modules, see ``MODES``.

All but ``probe`` and ``facts`` carry ``identity``: programme, environment and host. The answer is
one line of JSON on standard output, after lines ``{"doing": …}`` that tell how far it is, and
``{"confirm": …}`` where the controller is to come back in.
"""

import hashlib
import importlib
import json
import os
import signal
import sys
import time
from typing import Any, Callable

from fhirstack.planes.hosts.agent import record, rollback
from fhirstack.planes.hosts.agent.base import AgentError, Change, Resource, read
from fhirstack.planes.hosts.agent.packages import sweep
from fhirstack.planes.hosts.agent.problems import words
from fhirstack.planes.hosts.agent.services import Service, look
from fhirstack.planes.hosts.agent.work import Work

_PASSES = 2
"""A change may bring another (a package its files). What is left after these does not converge."""

MARK = {"kind": "mark", "address": "mark"}
"""What every host has, that nobody declares: it says whose it is."""

Found = list[tuple[Resource, list[Change]]]
Errors = dict[str, str]
"""What went wrong, by the address of the resource."""


def load(
    specs: "list[dict[str, Any]]", identity: "dict[str, str] | None" = None
) -> "list[Resource]":
    """Return the resources of a request. Raises AgentError for a kind that is not known."""
    unknown = {spec["kind"] for spec in specs} - Resource.kinds.keys()
    if unknown:
        raise AgentError(f"this agent knows no resource {', '.join(sorted(unknown))}")
    specs = [*specs, MARK]
    digests = {
        spec["address"]: hashlib.sha256(
            json.dumps(lasting(spec), sort_keys=True).encode()
        ).hexdigest()
        for spec in specs
    }
    resources = [Resource.kinds[spec["kind"]](spec) for spec in specs]
    for resource in resources:
        resource.digests = digests
        resource.identity = identity or {}
    return resources


def lasting(spec: "dict[str, Any]") -> "dict[str, Any]":
    """Return what is declared of a resource for good: not what a file has only at first."""
    passing = {"needs", "pending", *(["content"] if spec.get("initial") else [])}
    return {key: spec[key] for key in spec if key not in passing}


def compare(resources: "list[Resource]") -> "tuple[Found, Errors]":
    """Return every resource that differs, with its changes, in the order of applying.

    What cannot be looked at is told by its address, and holds up nothing else.
    """
    look([resource for resource in resources if isinstance(resource, Service)])
    found: "Found" = []
    errors: "Errors" = {}
    earlier: set[str] = set()
    for resource in resources:
        resource.earlier = set(earlier)
        try:
            changes = resource.plan()
        except (AgentError, OSError) as problem:
            errors[resource.address] = words(problem)
            continue
        if changes:
            found.append((resource, changes))
        if any(change.action != "report" for change in changes):
            earlier.add(resource.address)
    return found, errors


def fingerprint(found: "Found") -> str:
    """Return what tells two plans apart."""
    changes = [_shown(resource, change) for resource, some in found for change in some]
    return hashlib.sha256(json.dumps(changes, sort_keys=True).encode()).hexdigest()


def effective(found: "Found") -> "Found":
    """Return what apply acts on: all that is not only told."""
    kept = [(r, [c for c in some if c.action != "report"]) for r, some in found]
    return [(resource, some) for resource, some in kept if some]


def plan(request: "dict[str, Any]") -> "dict[str, Any]":
    """Compare, and change nothing."""
    with record.at_rest():
        record.refuse_others(request["identity"])
        found, errors = compare(load(request["resources"], request["identity"]))
        return _told(found) | {"unconfirmed": bool(rollback.pending()), "errors": errors}


def apply(request: "dict[str, Any]") -> "dict[str, Any]":
    """Make the host what is declared, if it still is what the plan saw."""
    with record.locked(request["who"]) as at_work:
        record.refuse_others(request["identity"])
        undone = rollback.pending() is not None
        if undone:
            # Nobody confirmed the last change: what was before it is the ground to stand on.
            rollback.undo()
        sweep()
        resources = load(request["resources"], request["identity"])
        found, unseen = compare(resources)
        answer = _told(found)
        expected = request.get("expected")
        if expected and expected != answer["fingerprint"]:
            return answer | {"refused": "the host changed since it was planned", "undone": undone}
        record.own(request["identity"])

        def tell(doing: str, confirm: bool = False) -> bool:
            at_work(doing)
            return say(doing, confirm)

        work = Work(resources, request["token"], request["confirm_seconds"], tell)
        for address, error in unseen.items():
            work.fail(address, error)
        for number in range(_PASSES):
            todo = [item for item in effective(found) if item[0].address not in work.out]
            if not todo or work.stopped:
                break
            if number:
                say("looking again")
            work.do(todo)
            found, unseen = compare(resources)
        for resource, _ in effective(found):
            if not work.stopped and resource.address not in work.out:
                work.fail(resource.address, "it does not stay as it was made")
        for address, error in unseen.items():
            work.fail(address, error)
        told = {"done": work.done, "errors": work.errors, "waiting": work.waiting}
        try:
            by = {key: request[key] for key in ("who", "identity")}
            record.note({**by, "changes": answer["changes"], **told})
        except OSError as problem:
            work.fail("record", words(problem))
        return answer | told | {"undone": undone}


def confirm(request: "dict[str, Any]") -> "dict[str, Any]":
    """Keep what waits to be confirmed."""
    rollback.confirm(request["token"])
    return {"confirmed": True}


def undo(request: "dict[str, Any]") -> "dict[str, Any]":
    """Put back, now, what an earlier apply changed and nobody confirmed."""
    with record.locked(request["who"]):
        record.refuse_others(request["identity"])
        undone = rollback.pending() is not None
        if undone:
            rollback.undo()
        return {"undone": undone}


def _told(found: "Found") -> "dict[str, Any]":
    changes = [
        {**_shown(resource, change), "guarded": resource.guard}
        for resource, some in found
        for change in some
    ]
    return {"changes": changes, "fingerprint": fingerprint(found)}


def _shown(resource: "Resource", change: "Change") -> "dict[str, Any]":
    """Return a change without what is yet to be made: the next plan's would be another."""
    told = change.as_dict()
    if resource.spec.get("pending"):
        told["diff"] = ""
        if isinstance(told["after"], dict) and "content" in told["after"]:
            told["after"] = {**told["after"], "content": "made by apply"}
    return told


class Link:
    """The way back to the controller, which may be cut at any time."""

    def __init__(self) -> None:
        self.there = True

    def write(self, line: "dict[str, Any]") -> None:
        """Write a line, as long as somebody reads."""
        try:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
        except OSError:
            # The work goes on: half of it would be worse.
            self.there = False
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for good


LINK = Link()


def say(doing: str, confirm: bool = False) -> bool:
    """Tell the controller what is being done, or that it is to confirm; whether it is there."""
    LINK.write({"confirm" if confirm else "doing": doing})
    return LINK.there


MODES: "dict[str, Callable[[dict[str, Any]], dict[str, Any]] | tuple[str, str]]" = {
    "plan": plan,
    "apply": apply,
    "confirm": confirm,
    "undo": undo,
    "facts": ("facts", "answer"),
    "probe": ("probe", "answer"),
    "ports": ("probe", "ports"),
    "retire": ("retire", "answer"),
    "share": ("shares", "use"),
    "take": ("shares", "take"),
}
"""Two names are a module, imported only where it is asked for, and its function."""


def main(request: "dict[str, Any]") -> int:
    """Answer a request on standard output. Returns the process's exit code, always 0."""
    started = time.monotonic()
    for name in ("SIGHUP", "SIGPIPE"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    answer: dict[str, Any]
    try:
        mode = MODES[request["mode"]]
        if isinstance(mode, tuple):
            module = importlib.import_module(f"fhirstack.planes.hosts.agent.{mode[0]}")
            mode = getattr(module, mode[1])
        answer = mode(request)
    except record.RefusedError as problem:
        answer = {"refused": str(problem)}
    except (AgentError, OSError) as problem:
        answer = {"error": words(problem)}
    machine = (read("/etc/machine-id") or "").strip()
    LINK.write({"answer": {**answer, "machine_id": machine, "seconds": time.monotonic() - started}})
    return 0
