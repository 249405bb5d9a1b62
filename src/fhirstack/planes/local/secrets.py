"""The stack's secrets: generated once, one file each, readable by the stack's account only."""

import secrets
from collections.abc import Iterable
from pathlib import Path

from fhirstack.bundle.programs import disk_error
from fhirstack.errors import UnreachableError
from fhirstack.planes.local.account import Account, write_file
from fhirstack.secret import Secret

BYTES = 32


def ensure(directory: Path, names: Iterable[str], owner: Account) -> dict[str, Secret]:
    """Return the secrets of these names; those that are not there are generated and kept.

    Raises UnreachableError for a file that is empty or open to others: a secret is never
    silently replaced, since a database or a realm may know the old one.
    """
    names = tuple(names)
    for name in names:
        if not (directory / name).exists():
            write_file(directory / name, new().reveal().encode(), owner)
    return read(directory, names)


def new() -> Secret:
    """Return a new secret."""
    return Secret(secrets.token_urlsafe(BYTES))


def read(directory: Path, names: Iterable[str]) -> dict[str, Secret]:
    """Return the secrets of these names. Raises UnreachableError for one that does not serve."""
    return {name: _read(directory / name) for name in names}


def _read(path: Path) -> Secret:
    try:
        mode = path.stat().st_mode
        value = path.read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        raise UnreachableError(
            "this secret is missing", where=str(path), remedy="`up` makes what is missing."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error if isinstance(error, OSError) else OSError(0, "is not a secret")
        raise disk_error(reason, path) from error
    if mode & 0o077:
        raise UnreachableError(
            "a secret that others can read", where=str(path), remedy=f"chmod 600 {path}"
        )
    if len(value) < BYTES:
        raise UnreachableError(
            "a secret that is empty or too short",
            where=str(path),
            remedy="Put the file back from a backup; or `down --delete-data` and start new.",
        )
    return Secret(value)
