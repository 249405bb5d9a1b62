"""Where what the tool keeps of an environment's SSH lies: beside the site file, if it may write.

Who only looks may have a site that cannot be written, such as a checkout of the reviewed one.
"""

import os
from pathlib import Path

from fhirstack.bundle.cache import cache_directory, digest_of


def beside(site: Path, environment: str) -> Path:
    """Return the place beside the site file."""
    return site.resolve().parent / ".fhirstack" / environment


def place(site: Path, environment: str) -> Path:
    """Return the place beside the site file; one in the cache where that cannot be written."""
    wanted = beside(site, environment)
    there = next(path for path in (wanted, *wanted.parents) if path.exists())
    if os.access(there, os.W_OK | os.X_OK):
        return wanted
    return cache_directory() / "sites" / digest_of(str(wanted).encode()) / environment


def known_hosts(site: Path, environment: str, held: str) -> str:
    """Return the host keys that hold in a place: those beside the site file come before others.

    ``held``: the lines of the place itself.
    """
    path = beside(site, environment) / "known_hosts"
    declared = path.read_text() if path.exists() else ""
    lines = {line.split()[0]: line for line in held.splitlines() if line.strip()}
    lines |= {line.split()[0]: line for line in declared.splitlines() if line.strip()}
    return "".join(f"{line}\n" for line in lines.values())
