"""Where the lab keeps what: a run's state, the cache, and the names that are its own."""

import os
from dataclasses import dataclass
from pathlib import Path

from fhirstack_lab.say import LabError

PREFIX = os.environ.get("FHIRSTACK_LAB_PREFIX") or "fslab"
"""Namespaces, links and cgroups of the lab have names that begin so; nothing else has.

Another prefix, with another state directory, is another lab beside the first.
"""

DEFAULT_STATE = "/var/lib/fhirstack-lab"
CODE = Path(__file__).resolve().parent
SITE = CODE.parent / "site.yaml"
OWNER = Path(f"/run/{PREFIX}-owner")
"""Names the state directory of the lab that is up, and the machine's own limit that it raised.

Gone when the machine restarts, as all of the lab but its state directory is.
"""


@dataclass(frozen=True)
class State:
    """The directory of one run. Everything of the run lies in it, apart from the cache."""

    path: Path

    @property
    def marker(self) -> Path:
        """The file that says whose directory this is, so that nothing else is ever removed."""
        return self.path / ".fhirstack-lab"

    @property
    def complete(self) -> Path:
        """The file that is written last: without it, a run was cut short."""
        return self.path / "complete"

    @property
    def identity(self) -> Path:
        """The private key of the lab's administrator."""
        return self.path / "id_ed25519"

    def host(self, name: str) -> Path:
        """Return the directory of one host."""
        return self.path / "hosts" / name

    def prepare(self) -> None:
        """Make the directory. Raises LabError where it belongs to something else."""
        if self.path.exists() and not self.marker.exists() and any(self.path.iterdir()):
            raise LabError(
                f"{self.path} is not a state directory of the lab, and not empty",
                "name another directory with FHIRSTACK_LAB",
            )
        self.path.mkdir(parents=True, exist_ok=True, mode=0o755)
        self.marker.touch()


def state_of_environment() -> State:
    """Return the state directory that FHIRSTACK_LAB names, or the usual one."""
    return State(Path(os.environ.get("FHIRSTACK_LAB") or DEFAULT_STATE).absolute())


def cache_directory() -> Path:
    """Return the same place as fhirstack's own cache for root."""
    return Path(os.environ.get("FHIRSTACK_CACHE") or "/var/cache/fhirstack").absolute()


def owner() -> State | None:
    """Return the state of the lab that is up, or was being made, since the machine started."""
    words = OWNER.read_text().splitlines() if OWNER.exists() else []
    return State(Path(words[0])) if words else None
