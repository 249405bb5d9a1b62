"""What every kind of resource has: observing, changing, and the small tools for both."""

import contextlib
import os
import stat
import subprocess
from typing import Any, Callable, ClassVar

STATE = "/var/lib/fhirstack"
"""Where the agent keeps what it must know the next time. Root's only."""

ROOT = ""
"""In tests: a directory that stands for the host's root."""

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "HOME": "/root",
    # Services restart when we say so, not when a library of theirs is new.
    "NEEDRESTART_SUSPEND": "1",
}


class AgentError(Exception):
    """Something on the host could not be done. The message says what and why."""


class Change:
    """One difference between what is declared and what the host has.

    ``action`` is one of create, update, delete, start, restart, stop, report. ``before`` and
    ``after`` are for people; ``diff`` is a text's difference. Secrets are in none of them.
    """

    # No dataclass: importing that module takes longer than all that the agent then does.
    def __init__(
        self,
        address: str,
        action: str,
        before: Any = None,
        after: Any = None,
        reason: str = "",
        diff: str = "",
        disrupts: bool = False,
    ) -> None:
        self.address = address
        self.action = action
        self.before = before
        self.after = after
        self.reason = reason
        self.diff = diff
        self.disrupts = disrupts

    def as_dict(self) -> dict[str, Any]:
        """Return what goes to the controller."""
        return dict(self.__dict__)


class Resource:
    """One resource of a host. A subclass a kind: it observes in ``plan`` and acts in ``apply``."""

    kind: ClassVar[str] = ""
    kinds: "ClassVar[dict[str, type[Resource]]]" = {}

    def __init_subclass__(cls) -> None:
        Resource.kinds[cls.kind] = cls

    def __init__(self, spec: "dict[str, Any]") -> None:
        self.spec = spec
        self.address: str = spec["address"]
        self.guard: bool = spec.get("guard", False)
        self.earlier: set[str] = set()
        """Addresses of resources before it that have changes too; set before ``plan``."""
        self.digests: dict[str, str] = {}
        """Of what is declared, by address; set before ``plan``."""
        self.identity: dict[str, str] = {}
        """Whose host it is: programme, environment and host; set before ``plan``."""

    def plan(self) -> "list[Change]":
        """Return how the host differs from what is declared. Changes nothing.

        It must work on a host where what comes before it is not there yet: a service whose
        package is missing is one that will be started.
        """
        raise NotImplementedError

    def strangers(self) -> "list[str]":
        """Return what of others is in its place, each with the remedy. It is never changed."""
        return []

    def apply(self, changes: "list[Change]") -> None:
        """Put the resource in place, whatever is there. Raises AgentError where it cannot."""
        raise NotImplementedError

    def clear(self) -> None:
        """Take away what would hold up a package's own scripts, before packages are installed."""

    def guarded_paths(self) -> "list[str]":
        """Return the files that a rollback puts back, where ``guard`` is set."""
        return []

    def undo(self) -> "list[str]":
        """Return shell commands that a rollback runs to put back what is no file."""
        return []

    def change(self, action: str, **rest: Any) -> Change:
        """Return a change of this resource."""
        return Change(self.address, action, **rest)


def run(
    command: "list[str]",
    text: "str | None" = None,
    timeout: float = 300,
    check: bool = True,
) -> "subprocess.CompletedProcess[str]":
    """Run a program without a shell; ``text`` is its standard input.

    Raises AgentError with the last lines it wrote where it fails (with ``check``) or is late.
    """
    try:
        done = subprocess.run(
            command,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=_ENVIRONMENT,
            check=False,
        )
    except FileNotFoundError:
        if check:
            raise AgentError(f"{command[0]} is not installed") from None
        return subprocess.CompletedProcess(command, 127, "", f"{command[0]}: not found")
    except subprocess.TimeoutExpired:
        raise AgentError(f"`{' '.join(command)}` took more than {timeout:.0f} s") from None
    if check and done.returncode:
        tail = "\n".join((done.stderr + done.stdout).strip().splitlines()[-6:])
        raise AgentError(f"`{' '.join(command)}` ended with {done.returncode}: {tail}")
    return done


def at(path: str) -> str:
    """Return the place of a path of the host. Every file is opened through it."""
    return ROOT + path


MOST_BYTES = 8 * 2**20
"""Of a file that is read: a sparse one of many gigabytes would take the host's memory."""

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def oddity(mode: int, size: int) -> str:
    """Return what makes a file one that is not read; empty for a regular one of bounded size."""
    for is_kind, words in _KINDS:
        if is_kind(mode):
            return f"it is {words}"
    return f"it has {size:,} bytes" if size > MOST_BYTES else ""


def read(path: str) -> "str | None":
    """Return a file's text, None where there is none. Bytes that are no text are kept.

    Raises AgentError for what is no regular file, which may never end, and for one that is larger
    than any that is managed.
    """
    try:
        # Without O_NONBLOCK a named pipe would be waited for.
        handle = os.open(at(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        found = os.fstat(handle)
        if odd := oddity(found.st_mode, found.st_size):
            raise AgentError(f"{path}: {odd}, and is not read: move it away by hand")
        content = b""
        # The kernel's settings refuse to be read by megabytes.
        while part := os.read(handle, 2**16):
            content += part
            if len(content) > MOST_BYTES:
                raise AgentError(f"{path}: does not end after {MOST_BYTES:,} bytes: it is not read")
    finally:
        os.close(handle)
    return content.decode("utf-8", "surrogateescape")


def entries(path: str) -> "list[str]":
    """Return what is in a directory, sorted; nothing where there is none."""
    try:
        return sorted(os.listdir(at(path)))
    except (FileNotFoundError, NotADirectoryError):
        return []


def write(
    path: str,
    content: str,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    before_replacing: "Callable[[str], None] | None" = None,
) -> None:
    """Write a file as a whole or not at all. ``before_replacing`` is called with the new copy."""
    directory, name = os.path.split(at(path))
    part = os.path.join(directory, f".{name}.{os.getpid()}.fhirstack")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as stream:
            os.fchown(stream.fileno(), uid, gid)
            os.fchmod(stream.fileno(), mode)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if before_replacing:
            before_replacing(part)
        os.replace(part, at(path))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
