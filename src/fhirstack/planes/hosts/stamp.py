"""When, by what and of what a page was made: without it nobody can say what it proves."""

import datetime
import hashlib
from dataclasses import dataclass
from pathlib import Path

from fhirstack import __version__


@dataclass(frozen=True)
class Stamp:
    """What stands on a page that people file."""

    at: str
    """UTC, to the second."""
    version: str
    """Of fhirstack."""
    site: str
    """The first 16 digits of the site file's SHA-256."""
    seconds: float
    """How long it took."""

    @property
    def words(self) -> str:
        """All of it in one line."""
        return f"{self.at}, fhirstack {self.version}, site {self.site}, {self.seconds:.0f} s"


def stamp(site: Path, seconds: float) -> Stamp:
    """Return the stamp of now."""
    now = datetime.datetime.now(datetime.UTC)
    digest = hashlib.sha256(site.read_bytes()).hexdigest()[:16]
    return Stamp(f"{now:%Y-%m-%d %H:%M:%S} UTC", __version__, digest, seconds)
