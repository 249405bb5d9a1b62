"""What a transaction brings in."""

import time
from dataclasses import dataclass, field
from datetime import datetime

from msgspec import Raw

from .streams import Landing

LONGEST_ID = 250  # characters; FHIR has 64, an index entry takes 2704 bytes


@dataclass(slots=True, frozen=True)
class Row:
    """A resource as it goes into the staging table; ``emitted_ms`` since 1970, UTC."""

    resource: Raw
    emitted_ms: int
    changes: list[object] | None = None


@dataclass(slots=True, frozen=True)
class Rejection:
    """A record that is not carried, or not carried as it was."""

    stream: str
    id: str
    reason: str
    detail: str


@dataclass(slots=True, frozen=True)
class IdList:
    """Ids that a sweep saw at the source."""

    landing: Landing
    run: str
    ids: list[str]


@dataclass(slots=True, frozen=True)
class Removal:
    """The end of a sweep or a full refresh: what was not seen goes.

    ``before`` spares rows that were extracted since; a full refresh has no such time.
    """

    landing: Landing
    run: str
    before: datetime | None


@dataclass(slots=True)
class Changes:
    """What a batch does to one table: rows by id, None for a deletion."""

    rows: dict[str, Row | None] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    bytes: int = 0


@dataclass(slots=True)
class PendingState:
    """A STATE line that waits for the commit; ``stream`` is None for that of all streams."""

    line: bytes
    stream: str | None


@dataclass(slots=True)
class Batch:
    """What is committed together, and then acknowledged by its states."""

    changes: dict[Landing, Changes] = field(default_factory=dict)
    rejections: dict[tuple[str, str], Rejection] = field(default_factory=dict)
    id_lists: list[IdList] = field(default_factory=list)
    removal: Removal | None = None
    poisoned: set[str] = field(default_factory=set)
    states: list[PendingState] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    records: int = 0
    bytes: int = 0
    since: float = field(default_factory=time.monotonic)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to commit and nothing to say."""
        return not (self.records or self.states or self.removal or self.ignored)
