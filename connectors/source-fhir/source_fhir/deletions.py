"""What was deleted: from the server's history, or by sweeping the ids that are left."""

import logging
import re
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from airbyte_cdk.models import AirbyteMessage

from . import bundle, times
from .config import Config
from .errors import ConfigurationError, FhirError, StatusError
from .messages import EncodedRecord, Encoder
from .names import RESOURCE_IDS, stream_of
from .pages import Pages

_ID = re.compile(r"(?:^|/)([^/]+)/([^/]+?)(?:/_history(?:/.*)?)?$")
_REFUSALS = frozenset({401, 403, 404, 405, 501})
_IDS_PER_RECORD = 1000
_REMEMBERED = 200_000


@dataclass
class History:
    """Whether the server gives its history: found out once in a run, by whichever type is first."""

    mode: str
    logger: logging.Logger
    sweeping: bool
    refused: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def wanted(self) -> bool:
        """Whether to ask for it."""
        return self.mode == "history" or (self.mode == "auto" and not self.refused)

    def refuse(self, error: StatusError) -> None:
        """Remember that it is refused. Raise ConfigurationError where nothing else is allowed."""
        if self.mode == "history":
            raise ConfigurationError(
                f"deletions is 'history', but the server refuses it: {error}. Use 'auto' or 'sweep'"
            ) from error
        with self._lock:
            if not self.refused:
                self.refused = True
                remedy = (
                    "Deletions are found by sweeping ids"
                    if self.sweeping
                    else "Deletions are not found, unless the stream resource_ids is read too"
                )
                self.logger.warning(f"{remedy}, as {error}")


@dataclass(frozen=True)
class Deleted:
    """The deletions of a type since some moment, and the moment to ask from the next time."""

    records: list[EncodedRecord]
    since: datetime


def of_type(
    pages: Pages, config: Config, history: History, resource_type: str, since: datetime
) -> Iterator[Deleted]:
    """Each page's deletions. Nothing at all if the server refuses its history.

    A history begins with the newest version (FHIR R4, http.html#history), so what was deleted
    and made again is known and left out. Should a server list otherwise, it comes as deleted
    here; resources are read after this and from `since` at the latest, so it ends as present.
    """
    queries = [
        f"_since={times.text(since)}&_count={config.page_size}&_elements=id&_pretty=false",
        f"_since={times.text(since)}&_count={config.page_size}",
    ]
    asked: datetime | None = None
    while queries:
        query = queries.pop(0)
        newer: set[int] = set()
        try:
            for answer in pages.follow(
                f"{resource_type}/_history", query, bundle.history, limit=config.resource_limit
            ):
                asked = asked or answer.asked
                at = times.text(answer.asked)
                found = [
                    record
                    for entry in answer.value.entry or []
                    if (record := _deletion(entry, resource_type, at, newer))
                ]
                yield Deleted(found, since)
            break
        except StatusError as error:
            if asked is None and error.status == 400 and queries:
                continue
            if asked is None and error.status in _REFUSALS:
                history.refuse(error)
                return
            raise
    if asked:
        yield Deleted([], asked - timedelta(seconds=config.overlap_seconds))


def _deletion(
    entry: bundle.HistoryEntry | None, resource_type: str, read_at: str, newer: set[int]
) -> EncodedRecord | None:
    """Return the record of a deletion that nothing newer has undone, or told before.

    `newer` holds the hashes of the ids seen so far: a set of a bounded size, for memory's sake.
    """
    if entry is None or entry.request is None:
        return None
    found = _ID.search(entry.request.url or "") or _ID.search(entry.fullUrl or "")
    if found is None or found.group(1) != resource_type:
        return None
    key = hash(found.group(2))
    if key in newer:
        return None
    if len(newer) < _REMEMBERED:
        newer.add(key)
    if entry.request.method != "DELETE":
        return None
    # Some servers do not tell when: then it is when that became known.
    told = entry.response.lastModified if entry.response else None
    moment = told if told and times.parse(told) else read_at
    return Encoder(stream_of(resource_type), resource_type).deletion(found.group(2), moment)


class Sweep:
    """The ids of all resources of a type that are there, as records of `resource_ids`.

    The destination removes what is in none of a sweep's lists once the last has arrived. So the
    last is only made when every id was seen.
    """

    def __init__(self, resource_type: str) -> None:
        self.resource_type = resource_type
        self.started_at = times.text(times.now())
        self._id = str(uuid.uuid4())
        self._number = 0

    def record(self, ids: list[str], *, last: bool = False) -> EncodedRecord:
        """Make the next list."""
        self._number += 1
        return Encoder(RESOURCE_IDS, self.resource_type).data(
            {
                "id": f"{self._id}/{self._number}",
                "resource_type": self.resource_type,
                "sweep": self._id,
                "started_at": self.started_at,
                "ids": ids,
                "last": last,
            }
        )

    def batches(self, pages: Pages, config: Config) -> Iterator[list[AirbyteMessage]]:
        """Ask for all ids. Raise FhirError if the server gave fewer than it says there are."""
        query = f"_elements=id&_count={config.page_size}&_total=accurate&_pretty=false"
        total, entries = None, 0
        ids: list[str] = []
        for answer in pages.follow(
            self.resource_type,
            query,
            bundle.search,
            limit=config.resource_limit,
            salvage=bundle.salvaged,
        ):
            total = answer.value.total if total is None else total
            for entry in answer.value.entry or []:
                head = bundle.head(entry.resource) if entry and entry.resource else None
                if head is None or not _is_of(head, self.resource_type):
                    continue
                if not head.id:
                    raise FhirError(
                        f"{self.resource_type}: a resource shows no id, so that nothing can be "
                        "said about deletions"
                    )
                ids.append(head.id)
                entries += 1
            while len(ids) >= _IDS_PER_RECORD:
                yield [self.record(ids[:_IDS_PER_RECORD])]
                del ids[:_IDS_PER_RECORD]
        if total is not None and entries < total:
            raise FhirError(
                f"{self.resource_type}: the server gave {entries} ids of {total}, so that nothing "
                "can be said about deletions; the next run tries again"
            )
        yield [self.record(ids, last=True)]


def _is_of(head: bundle.Head | bundle.Rejected, resource_type: str) -> bool:
    return isinstance(head, bundle.Rejected) or head.resourceType == resource_type
