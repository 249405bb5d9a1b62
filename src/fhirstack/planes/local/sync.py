"""Running the pipelines of a local stack once, now."""

import json
import os
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fhirstack.errors import UnreachableError
from fhirstack.planes.local.account import make_directory
from fhirstack.planes.local.platform import Platform
from fhirstack.planes.local.processes import MARK
from fhirstack.planes.local.stack import option
from fhirstack.services import pipelines

Event = Mapping[str, Any]
"""What the runner tells: ``event`` is phase, progress, log, transformed, done or unreachable."""

_STOP_SECONDS = 40
BUSY_OR_GONE = 3


def done(events: Iterable[Event]) -> Event:
    """Listen to a run to its end; return what was done."""
    return [*events][-1]


def run(platform: Platform, *, full: bool = False, wait_seconds: int = 900) -> Iterator[Event]:
    """Run source, destination and transformation; yield what they tell as they go.

    The last event is ``done``. It waits for another run to end. When the caller stops listening
    the run is stopped. Raises UnreachableError for a run that could not begin or broke off.
    """
    named = option(platform.stack.name)
    programs = Path(platform.context.artifacts[pipelines.PROGRAMS])
    if not programs.is_dir():
        raise UnreachableError(
            "the pipelines of this version are not set up yet",
            where=str(programs),
            remedy=f"./fhirstack up{named}",
        )
    options = [f"--wait={wait_seconds}", *(["--full"] if full else [])]
    command, environment = pipelines.process(platform.context, "run", *options)
    make_directory(platform.stack.path("data", pipelines.NAME), platform.owner)
    last: Event = {}
    process = subprocess.Popen(
        command,
        cwd=platform.stack.path("run"),
        env={
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(platform.stack.path("run", "tmp")),
            "TMPDIR": str(platform.stack.path("run", "tmp")),
            MARK: str(platform.stack.root),
            **environment,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C is for us alone: the runner is told to stop, and records that it was.
        process_group=0,
        **platform.owner.process_options,
    )
    try:
        for line in process.stdout or ():
            last = json.loads(line)
            yield last
        _, errors = process.communicate()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
    if process.returncode == BUSY_OR_GONE:
        raise UnreachableError(
            f"nothing was carried: {last.get('error', '')}",
            remedy=f"./fhirstack status{named}; ./fhirstack logs sync{named}",
        )
    if last.get("event") != "done":
        raise UnreachableError(
            f"the runner ended with {process.returncode}\n{errors.strip()[-2000:]}",
            remedy=f"./fhirstack logs sync{named}",
        )
