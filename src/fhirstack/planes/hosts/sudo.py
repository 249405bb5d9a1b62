"""The password that sudo asks for before the first apply: asked once, kept in memory alone.

It goes to ``sudo -S`` on standard input, never into arguments, files or logs. After the first apply
our own rule in sudoers needs none.
"""

import getpass
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from fhirstack.errors import UnreachableError, UsageError
from fhirstack.planes.hosts.ssh import Connections
from fhirstack.secret import Secret

FILE = "FHIRSTACK_SUDO_PASSWORD_FILE"
"""An environment variable: the file whose first line is the password, for its owner alone."""
SWITCH = ("sudo", "-S", "-k", "-p", "")
"""Asks for the password whatever was remembered, without a prompt, on standard input."""
_SECONDS = 60

_lock = Lock()
_known: dict[str, Secret | None] = {}
_pauses: list[tuple[Callable[[], None], Callable[[], None]]] = []


@contextmanager
def paused(stop: Callable[[], None], start: Callable[[], None]) -> Iterator[None]:
    """While a password is asked within the block, what is shown on the terminal rests."""
    _pauses.append((stop, start))
    try:
        yield
    finally:
        _pauses.remove((stop, start))


def password(user: str) -> Secret | None:
    """Return the password of an account: from the file, else asked once. None: nobody can be asked.

    Raises UsageError for a file that cannot be read, or that others can read.
    """
    with _lock:
        if user not in _known:
            named = os.environ.get(FILE)
            _known[user] = _read(Path(named)) if named else _asked(user)
        return _known[user]


def _read(path: Path) -> Secret:
    try:
        with path.open(encoding="utf-8") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            first = stream.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(
            f"{FILE}: {problem}", where=str(path), remedy="name a file with the password in it"
        ) from None
    if mode & 0o077:
        raise UsageError(f"{FILE}: others can read it", where=str(path), remedy=f"chmod 600 {path}")
    if not first:
        raise UsageError(
            f"{FILE}: its first line is empty", where=str(path), remedy="write the password there"
        )
    return Secret(first)


def _asked(user: str) -> Secret | None:
    if not sys.stdin.isatty():
        return None
    for stop, _ in _pauses:
        stop()
    try:
        found = getpass.getpass(f"Password of {user} for sudo, on the hosts: ")
    except EOFError:
        return None
    finally:
        for _, start in _pauses:
            start()
    return Secret(found) if found else None


def prove(connections: Connections, name: str, secret: Secret) -> None:
    """Try the password on a host once, so that a wrong one is not tried until an account locks.

    Raises UnreachableError where sudo does not take it.
    """
    try:
        done = subprocess.run(
            connections.command(name, *SWITCH, "true", options=("-T", "-o", "BatchMode=yes")),
            input=f"{secret.reveal()}\n",
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnreachableError(
            f"sudo did not answer within {_SECONDS} s", where=name, remedy="try `sudo` there"
        ) from None
    if done.returncode:
        user = connections.targets[name].user
        raise UnreachableError(
            f"sudo does not take the password of {user}",
            where=name,
            remedy="one password serves all hosts: give it again, or in the file that"
            f" {FILE} names",
        )
