"""The agent's entry: one request in, one answer out.

A request is a JSON object with ``mode`` and what the mode needs:

- ``plan``: ``resources``. Answers how the host differs.
- ``apply``: ``resources``, ``expected`` (the fingerprint of the plan that was seen), ``token`` and
  ``confirm_seconds`` for changes that may lock people out.
- ``confirm``: ``token``. Keeps such changes.
- other modes are functions of other modules, see ``MODES``.

All but ``probe`` and ``facts`` carry ``identity``: programme, environment and host. The answer is
one line of JSON on standard output, after lines ``{"doing": …}`` that tell how far it is.
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
from fhirstack.planes.hosts.agent.packages import AptSource, Package, sweep
from fhirstack.planes.hosts.agent.services import Service, look

_PASSES = 2
"""A change may bring another (a package its files). What is left after these does not converge."""

Found = list[tuple[Resource, list[Change]]]


def load(specs: "list[dict[str, Any]]") -> "list[Resource]":
    """Return the resources of a request. Raises AgentError for a kind that is not known."""
    unknown = {spec["kind"] for spec in specs} - Resource.kinds.keys()
    if unknown:
        raise AgentError(f"this agent knows no resource {', '.join(sorted(unknown))}")
    digests = {
        spec["address"]: hashlib.sha256(
            json.dumps(lasting(spec), sort_keys=True).encode()
        ).hexdigest()
        for spec in specs
    }
    resources = [Resource.kinds[spec["kind"]](spec) for spec in specs]
    for resource in resources:
        resource.digests = digests
    return resources


def lasting(spec: "dict[str, Any]") -> "dict[str, Any]":
    """Return what is declared of a resource for good: not what a file has only at first."""
    passing = {"pending", "content"} if spec.get("initial") else {"pending"}
    return {key: spec[key] for key in spec if key not in passing}


def compare(resources: "list[Resource]") -> "Found":
    """Return every resource that differs, with its changes, in the order of applying."""
    look([resource for resource in resources if isinstance(resource, Service)])
    found: "Found" = []
    earlier: set[str] = set()
    for resource in resources:
        resource.earlier = set(earlier)
        changes = resource.plan()
        if changes:
            found.append((resource, changes))
        if any(change.action != "report" for change in changes):
            earlier.add(resource.address)
    return found


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
        found = compare(load(request["resources"]))
        return _told(found) | {"unconfirmed": bool(rollback.pending())}


def apply(request: "dict[str, Any]") -> "dict[str, Any]":
    """Make the host what is declared, if it still is what the plan saw."""
    with record.locked(request["who"]):
        record.refuse_others(request["identity"])
        undone = rollback.pending() is not None
        if undone:
            # Nobody confirmed the last change: what was before it is the ground to stand on.
            rollback.undo()
        sweep()
        resources = load(request["resources"])
        found = compare(resources)
        answer = _told(found)
        expected = request.get("expected")
        if expected and expected != answer["fingerprint"]:
            return answer | {"refused": "the host changed since it was planned", "undone": undone}
        record.own(request["identity"])
        done: list[str] = []
        error = None
        armed = False
        try:
            for number in range(_PASSES):
                todo = effective(found)
                if not todo:
                    break
                if number:
                    say("looking again")
                armed = _change(resources, todo, request, done, armed=armed)
                found = compare(resources)
            left = [change.address for _, some in effective(found) for change in some]
            if left:
                error = f"does not stay as it was made: {', '.join(left[:5])}"
        except (AgentError, OSError) as problem:
            error = _words(problem)
        if armed:
            rollback.rewind()
        entry = {"who": request["who"], "changes": answer["changes"], "done": done, "error": error}
        try:
            record.note(entry)
        except OSError as problem:
            error = error or _words(problem)
        return answer | {"done": done, "error": error, "unconfirmed": armed, "undone": undone}


def confirm(request: "dict[str, Any]") -> "dict[str, Any]":
    """Keep what waits to be confirmed."""
    rollback.confirm(request["token"])
    return {"confirmed": True}


def _change(
    resources: "list[Resource]",
    todo: "Found",
    request: "dict[str, Any]",
    done: "list[str]",
    *,
    armed: bool,
) -> bool:
    """Apply: first what locks nobody out, then the rest. Return whether a rollback is armed."""
    services = [resource for resource in resources if isinstance(resource, Service)]
    guarded = {resource.address for resource in resources if resource.guard}
    late = guarded | {
        s.address for s in services if guarded & {*s.spec["watch"], *s.spec["reload_watch"]}
    }
    # Packages first, all at once; and before them where they come from and what they read.
    for first, changes in todo:
        if isinstance(first, AptSource) or first.spec.get("early"):
            say(first.address)
            first.apply(changes)
            done.append(first.address)
    packages = [r for r, _ in todo if isinstance(r, Package)]
    if packages:
        say(f"packages: {', '.join(p.spec['name'] for p in packages)}")
        Package.apply_many(packages)
        done += [package.address for package in packages]
    rest = [(r, some) for r, some in todo if r.address not in done]
    for resource, changes in sorted(rest, key=lambda item: item[0].address in late):
        if resource.address in late and not armed and resource.address in guarded:
            say("arming the rollback")
            rollback.arm(
                [r for r in resources if r.guard],
                [s.unit for s in services if s.address in late],
                request["token"],
                request["confirm_seconds"],
            )
            armed = True
        say(resource.address)
        for service in services:
            service.drop_note(resource.address)
        try:
            resource.apply(changes)
        except (AgentError, OSError) as problem:
            raise AgentError(f"{resource.address}: {_words(problem)}") from None
        done.append(resource.address)
    return armed


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


def _words(problem: Exception) -> str:
    if isinstance(problem, OSError):
        return f"{problem.strerror}: {problem.filename}" if problem.filename else str(problem)
    return str(problem)


def say(doing: str) -> None:
    """Tell the controller what is being done. A controller that is gone changes nothing."""
    _write({"doing": doing})


def _write(line: "dict[str, Any]") -> None:
    try:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    except OSError:
        # The link is cut. The work goes on: half of it would be worse.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for good


MODES: "dict[str, Callable[[dict[str, Any]], dict[str, Any]] | tuple[str, str]]" = {
    "plan": plan,
    "apply": apply,
    "confirm": confirm,
    "facts": ("facts", "answer"),
    "probe": ("probe", "answer"),
    "ports": ("probe", "ports"),
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
        answer = {"error": _words(problem)}
    machine = (read("/etc/machine-id") or "").strip()
    _write({"answer": {**answer, "machine_id": machine, "seconds": time.monotonic() - started}})
    return 0
