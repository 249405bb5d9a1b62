"""Running other programs: output kept in a file, failures told with their last lines."""

import errno
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from fhirstack.errors import UnreachableError

_HINTS = (
    ("No space left on device", "The disk is full: free some space, then run the command again."),
    ("Could not transfer artifact", "A download failed: check the network or the proxy settings."),
    ("Unknown host", "A name could not be looked up: check the network and its DNS."),
    ("Temporary failure", "A name could not be looked up: check the network and its DNS."),
    ("Checksum validation failed", "A download was damaged: run the command again."),
)


def last_lines(path: Path, count: int = 12) -> str:
    """Return the last lines of a text file, or an empty string where there is none."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(path.stat().st_size - 16384, 0))
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-count:])


def run(
    command: Sequence[str | PurePath],
    *,
    log: Path,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    user: tuple[int, int] | None = None,
) -> None:
    """Run a program to its end, its output appended to ``log``.

    ``user`` is the uid and gid to run as, if not ours.
    Raises UnreachableError with the last lines and, for known causes, the remedy.
    """
    words = [str(word) for word in command]
    try:
        with log.open("ab") as output:
            result = subprocess.run(
                words,
                cwd=directory,
                env=dict(environment) if environment is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=user[0] if user else None,
                group=user[1] if user else None,
                extra_groups=[] if user is not None else None,
                check=False,
            )
    except FileNotFoundError as error:
        raise UnreachableError(f"{words[0]} is not installed") from error
    except OSError as error:
        raise disk_error(error, log) from error
    if result.returncode != 0:
        tail = last_lines(log)
        hint = next((text for sign, text in _HINTS if sign in tail), f"Its whole output: {log}")
        raise UnreachableError(
            f"{Path(words[0]).name} ended with {result.returncode}\n{tail}", remedy=hint
        )


def disk_error(error: OSError, path: Path) -> UnreachableError:
    """Turn an OSError on a file into an error with a remedy."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UnreachableError(
            "the disk is full", where=str(path), remedy="Free some space, then run it again."
        )
    return UnreachableError(error.strerror or str(error), where=str(path))
