"""A host that leaves its environment: nothing of it lets anybody in, and its secrets are gone.

First what serves stops, then secrets go, then data where that was asked for, at last the keys:
where something failed the tool's own key stays, so that one can come back and end it. The firewall
stays as it is: a host that nobody needs is one that nothing reaches.
"""

import json
import os
import shutil
from typing import Any

from fhirstack.planes.hosts.agent import record, rollback
from fhirstack.planes.hosts.agent.accounts import accounts
from fhirstack.planes.hosts.agent.base import STATE, AgentError, at, read, run, write
from fhirstack.planes.hosts.agent.problems import words
from fhirstack.planes.hosts.agent.services import show

_NOTE = f"{STATE}/retired.json"


def answer(request: "dict[str, Any]") -> "dict[str, Any]":
    """Tell what goes and what stays; do it where ``look`` is not set.

    ``services``: units that serve others. ``secrets``: paths. ``accounts``: of people. ``user``:
    the account of this session. ``keys``: the directory of their keys. ``data``: what lies where,
    by path, and ``delete_data``.
    """
    if request["look"]:
        with record.at_rest():
            record.refuse_others(request["identity"])
            return _told(request)
    with record.locked(request["who"]):
        record.refuse_others(request["identity"])
        if rollback.pending() is not None:
            rollback.undo()
        told = _told(request)
        errors: "dict[str, str]" = {}
        for what, act in _steps(request, told):
            try:
                act()
            except (AgentError, OSError) as problem:
                errors[what] = words(problem)
        if not errors:
            _leave(request, told)
        return told | {"errors": errors}


def _told(request: "dict[str, Any]") -> "dict[str, Any]":
    units = list(request["services"])
    states = show(units) if units else []
    known = accounts()
    data = [
        {"path": path, "what": what, "bytes": size(path)}
        for path, what in request["data"].items()
        if os.path.isdir(at(path)) and os.listdir(at(path))
    ]
    return {
        "services": [
            u for u, s in zip(units, states, strict=True) if s.get("LoadState") == "loaded"
        ],
        "secrets": [path for path in request["secrets"] if os.path.lexists(at(path))],
        "accounts": [name for name in request["accounts"] if name in known],
        "data": data,
    }


def size(path: str) -> int:
    """Return the bytes below a directory, on its own file system."""
    total = 0
    device = os.lstat(at(path)).st_dev
    for directory, names, files in os.walk(at(path)):
        names[:] = [n for n in names if os.lstat(os.path.join(directory, n)).st_dev == device]
        for name in files:
            try:
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512
            except OSError:
                continue
    return total


def _steps(request: "dict[str, Any]", told: "dict[str, Any]") -> "list[tuple[str, Any]]":
    steps = [(unit, lambda u=unit: _stop(u)) for unit in told["services"]]
    steps += [(path, lambda p=path: os.unlink(at(p))) for path in told["secrets"]]
    if request["delete_data"]:
        steps += [(one["path"], lambda p=one["path"]: empty(p)) for one in told["data"]]
    people = [name for name in told["accounts"] if name != request["user"]]
    steps += [(f"user:{name}", lambda n=name: _lock(request["keys"], n)) for name in people]
    return steps


def _stop(unit: str) -> None:
    run(["systemctl", "disable", "--now", unit])


def _lock(keys: str, name: str) -> None:
    run(["usermod", "--lock", "--expiredate", "1", "--shell", "/usr/sbin/nologin", name])
    # Who is in has come in before; there may be nobody.
    run(["loginctl", "terminate-user", name], check=False)
    if os.path.lexists(at(f"{keys}/{name}")):
        os.unlink(at(f"{keys}/{name}"))


def empty(path: str) -> None:
    """Remove all that is in a directory; itself stays, as it may be where a disk is mounted."""
    for name in os.listdir(at(path)):
        place = os.path.join(at(path), name)
        if os.path.isdir(place) and not os.path.islink(place):
            shutil.rmtree(place)
        else:
            os.unlink(place)


def _leave(request: "dict[str, Any]", told: "dict[str, Any]") -> None:
    """Note what was left, give the machine free, and shut the door behind this session."""
    left = [] if request["delete_data"] else told["data"]
    owner = json.loads(read(f"{STATE}/host.json") or "{}")
    write(_NOTE, json.dumps({"at": record.now(), "was": owner, "left": left}), 0o600)
    shutil.rmtree(at(f"{STATE}/started"), ignore_errors=True)
    record.give_away()
    home = accounts()[request["user"]].home if request["user"] in accounts() else "/nonexistent"
    for path in (f"{request['keys']}/{request['user']}", f"{home}/.ssh/authorized_keys"):
        if os.path.lexists(at(path)):
            os.unlink(at(path))
