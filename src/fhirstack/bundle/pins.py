"""The pins: versions and checksums of what is downloaded."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True)
class MavenPin:
    """A file of a Maven repository: its coordinates and the SHA-256 that it must have."""

    coordinates: str
    sha256: str

    @property
    def version(self) -> str:
        """The version among the coordinates ``group:artifact:version[:packaging]``."""
        return self.coordinates.split(":")[2]

    @property
    def file_name(self) -> str:
        """The file's name in a Maven repository."""
        _, artifact, version, *packaging = self.coordinates.split(":")
        return f"{artifact}-{version}.{packaging[0] if packaging else 'jar'}"


@cache
def _pins() -> dict[str, Any]:
    text = (files("fhirstack.bundle") / "pins.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def maven_pin(name: str) -> MavenPin:
    """Return the pin of a downloaded file. Raises KeyError for an unknown name."""
    entry = _pins()[name]
    return MavenPin(coordinates=entry["maven"], sha256=entry["sha256"])


def version(name: str) -> str:
    """Return the version of a plain ``name: version`` pin."""
    return str(_pins()[name])
