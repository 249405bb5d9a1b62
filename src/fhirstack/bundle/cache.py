"""The cache of downloads and builds: outside any clone, keyed by pins, safe to delete."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from fhirstack.bundle.programs import disk_error
from fhirstack.lock import locked

ENVIRONMENT = "FHIRSTACK_CACHE"


def cache_directory() -> Path:
    """Return the cache's place: ``FHIRSTACK_CACHE``, else the system's or the user's cache.

    Root's cache lies in ``/var/cache``: services run under an account that cannot enter /root.
    """
    if named := os.environ.get(ENVIRONMENT):
        return Path(named).absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/fhirstack")
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "fhirstack"


def once(name: str, make: Callable[[Path, Path], None]) -> Path:
    """Return the cached directory ``name``, made by ``make(directory, log)`` if it is not there.

    ``make`` fills a directory that gets its final name only when all is done, so that a killed
    run leaves nothing that looks finished; what it left is removed by the next one. Several
    callers at once make it once. ``log`` is the place of a log that stays after a failure.
    Raises UnreachableError when the disk fails.
    """
    root = cache_directory()
    final = root / name
    try:
        if final.is_dir():
            return final
        with locked(root / f".{name}.lock"):
            if final.is_dir():
                return final
            for leftover in root.glob(f".{name}.*.part"):
                shutil.rmtree(leftover)
            log = root / "log" / f"{name}.log"
            log.parent.mkdir(exist_ok=True)
            log.unlink(missing_ok=True)
            part = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".part", dir=root))
            try:
                part.chmod(0o755)
                make(part, log)
                part.rename(final)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
    except OSError as error:
        remedy = f"Set {ENVIRONMENT} to a directory that can be written."
        raise disk_error(error, final, remedy=remedy) from error
    return final


def digest_of(*parts: bytes) -> str:
    """Return a short digest of some bytes, for the name of a cache entry."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
