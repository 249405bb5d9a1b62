"""Running other programs: output to a log and to a reader, failures told with their cause."""

import contextlib
import errno
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import IO

from fhirstack.errors import UnreachableError

_PACKAGES = {
    "haproxy": "haproxy",
    "initdb": "postgresql",
    "java": "default-jdk-headless",
    "mvn": "maven",
    "node": "nodejs",
    "postgres": "postgresql",
    "redis-server": "redis-server",
    "tar": "tar",
}
"""The Debian package of each program that we run."""

# Signs, cause and remedy. The first that fits wins: Maven's "Could not transfer artifact" goes
# before the true cause in the same line.
_CAUSES = (
    (
        ("No space left on device", "Disk quota exceeded"),
        "the disk is full",
        "Free about 1 GB, then run it again.",
    ),
    (
        ("OutOfMemoryError", "insufficient memory", "Could not reserve enough space"),
        "there is not enough memory",
        "Close other programs, or ask for less, then run it again.",
    ),
    (
        ("Checksum validation failed",),
        "a download was damaged",
        "Run it again.",
    ),
    (
        ("Unknown host", "UnknownHostException", "Temporary failure in name resolution"),
        "a name could not be looked up",
        "Check the network and its DNS, or the mirror and proxy in Maven's settings.xml.",
    ),
    (
        (
            "Could not transfer artifact",
            "Network is unreachable",
            "Connection refused",
            "Connect timed out",
        ),
        "a server cannot be reached",
        "Check the network, or the mirror and proxy in Maven's settings.xml.",
    ),
    (
        ("Could not find artifact", "was not found in"),
        "the artifact is not in the Maven repository that is configured",
        "Check the mirror in Maven's settings.xml.",
    ),
)
_LAST_LINES = 12
_STOP_SECONDS = 10


def run(
    command: Sequence[str | PurePath],
    *,
    log: Path | None = None,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    user: tuple[int, int] | None = None,
    each_line: Callable[[str], None] | None = None,
) -> None:
    """Run a program to its end, its output appended to ``log`` and given to ``each_line``.

    ``environment`` is the whole of it, ours by default. ``user`` is the uid and gid to run as,
    if not ours. The program and its children are stopped when this is interrupted or
    ``each_line`` raises. Raises UnreachableError, with the last lines and the remedy for known
    causes, when the program is not installed or fails.
    """
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with contextlib.ExitStack() as opened:
        kept = opened.enter_context(_appended(log)) if log else None
        process = opened.enter_context(_started(command, directory, environment, user))
        try:
            for data in process.stdout or ():
                if kept and log:
                    _append(kept, data, log)
                line = data.decode(errors="replace")
                last.append(line.rstrip())
                if each_line:
                    each_line(line)
            status = process.wait()
        except BaseException:
            _stop(process)
            raise
    if status != 0:
        raise _failure(PurePath(command[0]).name, status, list(last), log)


def _started(
    command: Sequence[str | PurePath],
    directory: Path | None,
    environment: Mapping[str, str] | None,
    user: tuple[int, int] | None,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [str(word) for word in command],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=user[0] if user else None,
            group=user[1] if user else None,
            extra_groups=[] if user else None,
            process_group=0,  # of its own, so that a script's children can be stopped with it
        )
    except OSError as error:
        if directory is not None and str(error.filename) == str(directory):
            raise disk_error(error, directory) from error
        if isinstance(error, FileNotFoundError):
            raise not_installed(str(command[0])) from error
        raise disk_error(error, Path(command[0])) from error


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a program with its children, by force if it does not end by itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)


def _appended(log: Path) -> IO[bytes]:
    try:
        return log.open("ab", buffering=0)
    except OSError as error:
        raise disk_error(error, log) from error


def _append(stream: IO[bytes], data: bytes, log: Path) -> None:
    try:
        stream.write(data)
    except OSError as error:
        raise disk_error(error, log) from error


def _failure(
    program: str, status: int, output: Sequence[str], log: Path | None
) -> UnreachableError:
    lines = [line for line in output if line.strip()] or ["It printed nothing."]
    told = "\n".join([f"{program} ended with {status}", *lines])
    text = "\n".join(lines)
    for signs, cause, remedy in _CAUSES:
        if any(sign in text for sign in signs):
            return UnreachableError(f"{cause}: {told}", remedy=remedy)
    return UnreachableError(told, remedy=f"Its whole output: {log}" if log else "")


def not_installed(program: str) -> UnreachableError:
    """Return the error for a missing program. It names the Debian package, if that is known."""
    package = _PACKAGES.get(PurePath(program).name)
    return UnreachableError(
        f"{program} is not installed", remedy=f"Install {package}." if package else ""
    )


def last_lines(path: Path, count: int = _LAST_LINES) -> str:
    """Return the last lines of a text file, or an empty string where there is none."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(path.stat().st_size - 16384, 0))
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-count:])


FREE_SPACE = "Free some space, then run it again."
PLACES = ("FHIRSTACK_HOME", "FHIRSTACK_CACHE", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")
"""Variables that name a directory in which this program writes."""


def place_remedy(path: Path) -> str:
    """Return how to mend a place that cannot be used: by the variable that names it, if any."""
    for variable in PLACES:
        named = os.environ.get(variable)
        if named and path.absolute().is_relative_to(Path(named).absolute()):
            return f"Set {variable} to a directory that can be written."
    return "Mend it, or name another place."


def disk_error(error: OSError, path: Path, *, remedy: str = "") -> UnreachableError:
    """Turn an OSError on a file into an error with a remedy, ours where the disk is full."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UnreachableError("the disk is full", where=str(path), remedy=FREE_SPACE)
    remedy = remedy or place_remedy(path)
    return UnreachableError(error.strerror or str(error), where=str(path), remedy=remedy)
