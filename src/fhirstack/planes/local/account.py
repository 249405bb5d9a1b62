"""The account that a local stack's processes run under, and the files that it owns."""

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhirstack.bundle.programs import disk_error
from fhirstack.errors import UnreachableError

SERVICE_ACCOUNT = "fhirstack"


@dataclass(frozen=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int

    @property
    def switches(self) -> bool:
        """Whether processes must be started under another user than ours."""
        return self.uid != os.geteuid()

    @property
    def process_options(self) -> dict[str, Any]:
        """What ``subprocess`` must be told to start a program as this user."""
        if not self.switches:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def own_account() -> Account:
    """Return the user that runs this program."""
    own = pwd.getpwuid(os.geteuid())
    return Account(own.pw_name, own.pw_uid, own.pw_gid)


def service_account(*, make: bool = True) -> Account:
    """Return the account for the stack's processes.

    It is our own user, but never root (PostgreSQL refuses root, and the others need no such
    right): root makes the system account ``fhirstack``, which cannot log in, and uses that. Who
    only looks makes none: UnreachableError without it.
    """
    if os.geteuid() != 0:
        return own_account()
    try:
        entry = pwd.getpwnam(SERVICE_ACCOUNT)
    except KeyError:
        if not make:
            raise UnreachableError(
                f"there is no account {SERVICE_ACCOUNT}", remedy="`up` makes what is missing."
            ) from None
        command = ["useradd", "--system", "--no-create-home", "--user-group"]
        command += ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", SERVICE_ACCOUNT]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise UnreachableError(
                f"cannot make the system account {SERVICE_ACCOUNT}: {result.stderr.strip()}"
            ) from None
        entry = pwd.getpwnam(SERVICE_ACCOUNT)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def make_directory(path: Path, owner: Account) -> None:
    """Make a directory that only the owner can enter; parents up to an existing one too."""
    try:
        if not path.is_dir():
            path.mkdir(mode=0o700)
        if path.stat().st_uid != owner.uid:
            os.chown(path, owner.uid, owner.gid)
    except OSError as error:
        remedy = "Mend it, or set FHIRSTACK_HOME to a directory that can be written."
        raise disk_error(error, path, remedy=remedy) from error


def write_file(path: Path, content: bytes, owner: Account, mode: int = 0o600) -> None:
    """Write a file atomically: readers see the old or the new content, never a part.

    The content is on the disk before the name is changed.
    """
    handle, temporary = -1, ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(mode)
        os.chown(temporary, owner.uid, owner.gid)
        Path(temporary).rename(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise disk_error(error, path) from error


def remove_tree(path: Path) -> None:
    """Remove a directory and all in it. Raises UnreachableError naming what could not go."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise disk_error(error, path) from error
