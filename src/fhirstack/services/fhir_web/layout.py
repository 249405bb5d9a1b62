"""Where the server and the pages lie in what a site names: an unpacked image or a build."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from fhirstack.errors import UsageError
from fhirstack.model.site import FhirWeb

_IMAGE = Path("usr/src")
_SERVERS = {
    "directory": tuple(_IMAGE / "app" / name for name in ("dist/index.js", "index.js")),
    "build": tuple(
        Path("express-server") / name
        for name in ("build/dist/index.js", "dist/index.js", "index.js")
    ),
}
_PAGES = {
    "directory": (_IMAGE / "web/index.html",),
    "build": (Path("web/index.html"), Path("build/index.html")),
}


@dataclass(frozen=True)
class Layout:
    """The server's first file, and the directory of the built pages."""

    server: Path
    pages: Path


def _search(root: Path, kind: str) -> Layout | None:
    server = next((root / path for path in _SERVERS[kind] if (root / path).is_file()), None)
    page = next((root / path for path in _PAGES[kind] if (root / path).is_file()), None)
    return Layout(server, page.parent) if server and page else None


def layout(setting: FhirWeb) -> Layout:
    """Return what is where. Raises UsageError for a place that does not hold FHIR Web."""
    kind = "directory" if setting.directory else "build"
    named = setting.directory or setting.build
    if named is None:
        raise UsageError("the site names no FHIR Web that can run on this machine")
    found = _search(Path(named), kind)
    if found is None:
        raise _nothing_in(Path(named))
    return found


def absolute(directory: str) -> str:
    """Return a directory as a person names it, from the root on, without ``..``."""
    return os.path.abspath(Path(directory).expanduser())  # noqa: PTH100 - Path keeps ``..``


def found_in(directory: str) -> FhirWeb:
    """Return the setting for a directory, told apart by what it holds. Raises UsageError."""
    root = Path(absolute(directory))
    for kind in _SERVERS:
        if _search(root, kind):
            return FhirWeb(**{kind: str(root)})
    raise _nothing_in(root)


def server_digest(found: Layout) -> str:
    """Return what tells two builds of the server apart, in hexadecimal.

    Its own files by their content; its libraries, thousands of files, by what their installer
    noted beside them.
    """
    digest = hashlib.sha256()
    own = found.server.parent
    for path in sorted(own.rglob("*")):
        if path.is_file() and "node_modules" not in path.relative_to(own).parts:
            digest.update(f"{path.relative_to(own)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    for place in found.server.parents:
        for name in (".package-lock.json", ".yarn-state.yml"):
            note = place / "node_modules" / name
            if note.is_file():
                digest.update(note.read_bytes())
        if (place / "node_modules").is_dir():
            break
    return digest.hexdigest()


def _nothing_in(root: Path) -> UsageError:
    if not root.exists():
        what = "does not exist"
    elif not root.is_dir():
        what = "is no directory"
    else:
        what = "holds no FHIR Web"
    return UsageError(what, where=str(root), remedy=_wanted())


def _wanted() -> str:
    return (
        "An unpacked image has usr/src/app and usr/src/web; a build has express-server/ "
        "(dist/index.js beside node_modules) and web/ (index.html). Without it: --fhir-web ''."
    )
