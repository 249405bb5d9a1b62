"""Locks that are files: held by one process, and free again when it ends, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fhirstack.errors import UsageError


@contextmanager
def locked(path: Path, held: str = "") -> Iterator[None]:
    """Hold the lock of a file, whose directory is made.

    While another process holds it: waits; or, with ``held``, what that one does, raises UsageError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | (fcntl.LOCK_NB if held else 0))
        except BlockingIOError as error:
            raise UsageError(
                held,
                where=str(path.parent),
                remedy="Wait until it has ended, then run this again.",
            ) from error
        yield
