"""The pages' directory of one stack: a copy of the built pages, with this stack's ``config.js``.

A copy, not links: a build that is replaced where it lies would show a part of itself, or a white
page, until `up` takes it; and what is served can be compared with it, byte by byte.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from fhirstack.errors import UsageError
from fhirstack.services.fhir_web.layout import Layout

VERSION_MARK = "CONFIG_VERSION"
"""In ``index.html``, as OpenSRP's image replaces it: browsers keep ``config.js`` for 30 days."""

INDEX, CONFIG = "index.html", "config.js"

WebRoot = Mapping[str, Path | bytes]
"""Each file's path below the root, and its content or the file that has it."""


def web_root(pages: Path, config: str) -> WebRoot:
    """Return what is to be served: the built pages, our configuration, and what names it.

    What is no plain file is left out, and ``node_modules``, which OpenSRP's image has among the
    pages. Raises UsageError for pages that cannot be read.
    """
    try:
        files: dict[str, Path | bytes] = {
            str(path.relative_to(pages)): path for path in _files(pages) if not path.is_symlink()
        }
        index = (pages / INDEX).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"its pages cannot be read: {error.strerror}",
            where=str(error.filename or pages),
            remedy="Let the user who runs this read them.",
        ) from error
    version = hashlib.sha256(config.encode()).hexdigest()[:12]
    files[CONFIG] = config.encode()
    files[INDEX] = index.replace(VERSION_MARK, version).encode()
    return files


def differing(wanted: WebRoot, target: Path) -> list[str]:
    """Return the files that are not served as they must be, and those that must not be there."""
    present = {str(path.relative_to(target)) for path in _files(target)}
    return sorted(
        name
        for name in wanted.keys() | present
        if name not in wanted or not _same(wanted[name], target / name)
    )


def lay_out(wanted: WebRoot, target: Path) -> None:
    """Make ``target`` exactly that, in one step; done again, it writes nothing."""
    if not differing(wanted, target):
        return
    fresh, old = (target.with_name(f"{target.name}.{end}") for end in ("new", "old"))
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    for name, content in wanted.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_content(content))
    for path in (fresh, *fresh.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _files(root: Path) -> Iterator[Path]:
    """Yield every file below, and every link, also one to a directory."""

    def give_up(error: OSError) -> None:
        if root.exists():
            raise error

    for directory, names, files in os.walk(root, onerror=give_up):
        place = Path(directory)
        yield from (place / name for name in files)
        yield from (place / name for name in names if (place / name).is_symlink())
        names[:] = sorted(name for name in names if name != "node_modules")


def _same(wanted: Path | bytes, path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    return _content(wanted) == path.read_bytes()


def _content(wanted: Path | bytes) -> bytes:
    return wanted if isinstance(wanted, bytes) else wanted.read_bytes()


def check_readable(found: Layout, user: int) -> None:
    """Raise UsageError where an account cannot reach the server, which may lie in a private home.

    Read from the modes: the account's own files, or those that everyone may read.
    """
    for place in (found.server, *found.server.parents):
        status = place.stat()
        wanted = os.R_OK if place == found.server else os.X_OK
        shift = 6 if status.st_uid == user else 0
        if not status.st_mode >> shift & wanted:
            raise UsageError(
                "cannot be read by the account that runs the services",
                where=str(place),
                remedy="Move it to where everyone may read, such as /srv.",
            )
