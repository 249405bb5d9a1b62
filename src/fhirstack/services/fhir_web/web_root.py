"""The pages' directory of one stack: the built pages, with this stack's ``config.js``."""

import hashlib
import os
from pathlib import Path

from fhirstack.errors import UsageError
from fhirstack.services.fhir_web.layout import Layout

VERSION_MARK = "CONFIG_VERSION"
"""In ``index.html``, as OpenSRP's image replaces it: browsers keep ``config.js`` for 30 days."""


def prepare_web_root(pages: Path, config: Path, target: Path) -> None:
    """Make ``target`` show the built pages with our configuration. Done again, it changes nothing.

    Every entry of ``pages`` is a link; ``config.js`` leads to ``config``; ``index.html`` is a copy
    that names the configuration's version. What the build no longer has is removed.
    """
    target.mkdir(exist_ok=True)
    links = {entry.name: entry for entry in pages.iterdir()} | {"config.js": config}
    del links["index.html"]
    for entry in target.iterdir():
        if entry.name not in links and entry.name != "index.html":
            entry.unlink()
    for name, place in links.items():
        link = target / name
        if not (link.is_symlink() and link.readlink() == place):
            link.unlink(missing_ok=True)
            link.symlink_to(place)
    version = hashlib.sha256(config.read_bytes()).hexdigest()[:12]
    text = (pages / "index.html").read_text(encoding="utf-8").replace(VERSION_MARK, version)
    index = target / "index.html"
    if not index.exists() or index.read_text(encoding="utf-8") != text:
        draft = target / "index.html.new"
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o644)
        draft.replace(index)


def check_readable(found: Layout, user: int) -> None:
    """Raise UsageError where an account cannot reach the files, which may lie in a private home.

    Read from the modes: the account's own files, or those that everyone may read.
    """
    for path in (found.server, found.pages / "index.html"):
        for place in (path, *path.parents):
            status = place.stat()
            wanted = os.R_OK if place == path else os.X_OK
            shift = 6 if status.st_uid == user else 0
            if not status.st_mode >> shift & wanted:
                raise UsageError(
                    "cannot be read by the account that runs the services",
                    where=str(place),
                    remedy="Move it to where everyone may read, such as /srv.",
                )
