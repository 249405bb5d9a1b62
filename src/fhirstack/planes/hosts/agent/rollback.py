"""Changes that may lock people out: undone by the host itself unless they are confirmed.

What was there is kept, and a timer of systemd puts it back. It is a file of systemd's, so that a
host that restarts meanwhile puts it back as well. Whoever renames the directory first has decided:
the undoing, or the controller that came back in and confirms.
"""

import os
import shlex
import shutil
import time
from collections.abc import Callable

from fhirstack.planes.hosts.agent.base import STATE, AgentError, Resource, at, read, run, write

_KEPT = f"{STATE}/rollback"
_UNDOING = f"{_KEPT}.undoing"
_CONFIRMED = f"{_KEPT}.confirmed"
_UNITS = "/etc/systemd/system/fhirstack-rollback"


def pending() -> "str | None":
    """Return the token of changes that wait to be confirmed; None where there are none."""
    return read(f"{_KEPT}/token") or read(f"{_UNDOING}/token")


def arm(resources: "list[Resource]", services: "list[str]", token: str, seconds: int) -> None:
    """Keep what guarded resources have now, and start the timer that puts it back.

    ``services`` are reloaded afterwards. Raises AgentError where that cannot be prepared: then
    nothing may be changed.
    """
    shutil.rmtree(at(_KEPT), ignore_errors=True)
    os.makedirs(at(_KEPT), mode=0o700)
    lines = ["#!/bin/sh", "# Puts back what was there before an unconfirmed change.", "set -u"]
    lines += [f"[ ! -d {_KEPT} ] || mv {_KEPT} {_UNDOING} || exit 0"]
    # What services were started with holds again once they are reloaded: their notes as well.
    paths = [path for resource in resources for path in resource.guarded_paths()]
    notes = [f"{STATE}/started/{service}.json" for service in services]
    back = [_put_back(number, path) for number, path in enumerate([*paths, *notes])]
    lines += back[: len(paths)]
    lines += [line for resource in resources for line in resource.undo()]
    lines += [f"systemctl reload-or-restart {shlex.quote(service)}" for service in services]
    lines += back[len(paths) :]
    lines += [f"rm -rf {_UNDOING}", *_disarmed()]
    write(f"{_KEPT}/undo", "\n".join([*lines, ""]), 0o700)
    write(f"{_UNITS}.service", _SERVICE.format(kept=_KEPT))
    write(f"{_UNITS}.timer", _TIMER.format(seconds=seconds))
    write(f"{_KEPT}/token", token, 0o600)
    run(["systemctl", "daemon-reload"])
    run(["systemctl", "enable", "--now", "fhirstack-rollback.timer"])


def rewind() -> None:
    """Give the controller the whole time again: called when all changes are made."""
    run(["systemctl", "restart", "fhirstack-rollback.timer"])


def confirm(token: str) -> None:
    """Keep the changes. Raises AgentError where they were undone already."""
    if read(f"{_KEPT}/token") != token:
        raise AgentError("the host has already put back what it had: nobody confirmed in time")
    shutil.rmtree(at(_CONFIRMED), ignore_errors=True)
    os.rename(at(_KEPT), at(_CONFIRMED))
    for line in _disarmed():
        run(["sh", "-c", line], check=False)
    # The token alone stays: who waits for the confirmation reads it.
    for name in os.listdir(at(_CONFIRMED)):
        if name != "token":
            _remove(f"{_CONFIRMED}/{name}")


def wait(token: str, tell: "Callable[[], bool]") -> None:
    """Wait until the changes are confirmed. ``tell`` asks for it; whether anybody is there.

    Raises AgentError where nobody confirmed: then the host has put back what it had. Where the
    controller is gone that is not waited for.
    """
    while read(f"{_KEPT}/token") == token:
        if not tell():
            undo()
            break
        time.sleep(0.2)
    while os.path.lexists(at(_UNDOING)):
        time.sleep(0.2)
    if read(f"{_CONFIRMED}/token") != token:
        raise AgentError("nobody came back in to confirm: the host has put back what it had")


def undo() -> None:
    """Put back, now, what unconfirmed changes replaced; or end what an undoing began."""
    for place in (_KEPT, _UNDOING):
        if os.path.exists(at(f"{place}/undo")):
            run(["sh", at(f"{place}/undo")])
            return


def _put_back(number: int, path: str) -> str:
    """Keep a file under a number; return the shell command that puts it back, or takes it away."""
    if not os.path.lexists(at(path)):
        return f"rm -f {shlex.quote(path)}"
    copy = f"{_KEPT}/{number}"
    # Whatever it is: a directory or a link where a file is to be is put back as such.
    run(["cp", "-a", at(path), at(copy)])
    kept, place = f"{_UNDOING}/{number}", shlex.quote(path)
    part = shlex.quote(f"{path}.fhirstack-undo")
    # What was not changed stays the file that it is: who read it need not read it again.
    same = (
        f'cmp -s {kept} {place} && [ "$(stat -c %a:%u:%g:%F {kept} {place} | uniq | wc -l)" = 1 ]'
    )
    return f"{same} || {{ cp -a {kept} {part} && mv -fT {part} {place}; }}"


def _remove(path: str) -> None:
    place = at(path)
    if os.path.isdir(place) and not os.path.islink(place):
        shutil.rmtree(place)
    else:
        os.unlink(place)


def _disarmed() -> "list[str]":
    return [
        "systemctl --quiet disable --now fhirstack-rollback.timer",
        f"rm -f {_UNITS}.service {_UNITS}.timer",
        "systemctl --no-block daemon-reload",
    ]


_SERVICE = """\
[Unit]
Description=fhirstack: put back what an unconfirmed change replaced

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for d in {kept} {kept}.undoing; do [ ! -x $d/undo ] || exec $d/undo; done'
"""
_TIMER = """\
[Unit]
Description=fhirstack: an unconfirmed change is undone

[Timer]
OnActiveSec={seconds}
AccuracySec=1s

[Install]
WantedBy=timers.target
"""
