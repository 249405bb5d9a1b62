"""Reading one FHIR type: what was deleted, then what was changed, oldest change first."""

import logging
from collections.abc import Generator, Iterator
from datetime import datetime

import msgspec
from airbyte_cdk.models import AirbyteMessage

from . import bundle, deletions, links, messages, times
from .client import Answer, FhirClient
from .config import Config
from .deletions import History, Sweep
from .errors import FhirError, LinkError, StatusError, TooLargeError
from .names import stream_of
from .pages import Pages
from .position import Position

Batch = list[AirbyteMessage]
_GONE = frozenset({404, 410})
_SHRINK = 4
_ONE_BY_ONE = 50
_NULL = msgspec.Raw(b"null")


class TypeReader:
    """Reads one type once. `batches` gives its messages, each page's with a STATE at its end."""

    def __init__(
        self,
        client: FhirClient,
        config: Config,
        resource_type: str,
        *,
        position: Position,
        history: History,
        logger: logging.Logger,
        sweeping: bool = False,
    ) -> None:
        self.type, self.stream = resource_type, stream_of(resource_type)
        self._client, self._config, self._position = client, config, position
        self._history, self._logger, self._sweeping = history, logger, sweeping
        self._sweep = self._new_sweep()
        self._pages = Pages(client, config.base)
        self._count = config.count_of(resource_type)
        self._plain = False
        self._previous: tuple[str, int] | None = None
        self._told: set[str] = set()
        self.swept_at: str | None = None

    def batches(self) -> Iterator[Batch]:
        """Raise FhirError where the type cannot be read to its end."""
        yield from self._deletions()
        yield from self._changes()

    def _new_sweep(self) -> Sweep | None:
        """Return a sweep for a read of everything, which sees every id at no further cost."""
        whole = self._sweeping and self._position.start is None
        return Sweep(self.type) if whole else None

    def _deletions(self) -> Iterator[Batch]:
        position, since = self._position, self._position.deletions_since
        if since is None or not self._history.wanted:
            return
        any_found = False
        for found in deletions.of_type(self._pages, self._config, self._history, self.type, since):
            position.deletions_since = found.since
            if found.records:
                any_found = True
                yield list(found.records)
            # One that was made again after its deletion must be read again after it too.
            position.start = min(position.start, since) if position.start else None
        if any_found:
            yield [self._state(position.midway())]

    def _changes(self) -> Iterator[Batch]:
        stalled = 0
        while True:
            begin = self._position.new_search()
            try:
                if (yield from self._search(begin)):
                    break
                if self._position.ahead:
                    self._logger.warning(
                        f"{self.type}: the state is later than the server's clock, which was set "
                        "back: everything is read again"
                    )
                    self._position.forget()
                    self._sweep = self._new_sweep()
                    continue
            except StatusError as error:
                if self._previous is None and error.status == 400 and not self._plain:
                    self._plain = True
                    continue
                if self._previous is None or error.status not in _GONE:
                    raise
                self._logger.info(f"{self.type}: the search has expired and is made anew")
            except TooLargeError as error:
                if self._count == 1:
                    self._logger.warning(f"{self.type}: {error}; resources are read one by one")
                    if (yield from self._one_by_one(begin := self._position.resume)):
                        break
                else:
                    self._count = max(1, self._count // _SHRINK)
                    self._logger.info(f"{self.type}: {error}; {self._count} are asked for now")
                    continue
            stalled = stalled + 1 if self._position.resume == begin else 0
            if stalled >= self._config.max_attempts:
                raise FhirError(f"{self.type}: the search does not get beyond {begin}")
        if self._sweep:
            yield [self._sweep.record([], last=True)]
            self.swept_at = self._sweep.started_at
        yield [self._state(self._position.end())]

    def _query(self, begin: datetime | None, count: int, elements: str = "") -> str:
        query = f"_sort=_lastUpdated&_count={count}"
        if begin:
            query += f"&_lastUpdated=ge{times.text(begin)}"
        if elements:
            query += f"&_elements={elements}"
        return query if self._plain else f"{query}&_total=none&_pretty=false"

    def _search(self, begin: datetime | None) -> Generator[Batch, None, bool]:
        """Whether the search was read to its end: if not, a new one is to go on."""
        config, self._previous = self._config, None
        limit = config.page_limit if self._count > 1 else config.resource_limit
        for number, answer in enumerate(
            self._pages.follow(
                self.type,
                self._query(begin, self._count),
                bundle.search,
                limit=limit,
                salvage=bundle.salvaged,
            )
        ):
            self._begin(answer)
            if self._position.ahead:
                return False
            yield self._page(answer)
            if number >= _SHRINK and self._may_grow(answer) and self._position.resume != begin:
                self._count = min(self._count * _SHRINK, config.count_of(self.type))
                return False
        return True

    def _may_grow(self, answer: Answer[bundle.SearchBundle]) -> bool:
        room = answer.size * _SHRINK * 2 < self._config.page_limit
        return room and self._count < self._config.count_of(self.type)

    def _begin(self, answer: Answer[bundle.SearchBundle]) -> None:
        found = answer.value
        # A server may answer from a search that it did a little earlier, and says so here.
        made = times.parse(found.meta.lastUpdated) if found.meta else None
        self._position.begin(min(answer.asked, made) if made else answer.asked)
        if self._config.deletions != "none":
            # From the first page on: what is deleted after it was read must not stay.
            self._position.watch_deletions()
        itself = found.url("self")
        if self._previous is None and itself and "_sort" not in itself:
            self._position.ascending = False

    def _page(self, answer: Answer[bundle.SearchBundle]) -> Batch:
        position, before = self._position, self._position.midway()
        batch: Batch = []
        ids: list[str] = []
        others: set[str] = set()
        encoder = messages.Encoder(self.stream, self.type)
        for number, entry in enumerate(answer.value.entry or []):
            if entry is None or not entry.resource or entry.resource == _NULL:
                batch += self._reject(None, f"entry {number} has no resource", answer.url)
                continue
            found = self._resource(entry.resource, encoder)
            if isinstance(found, bundle.Rejected):
                batch += self._reject(found.id, found.reason, answer.url)
                if found.id:
                    ids.append(found.id)
            elif isinstance(found, str):
                others.add(found)
            else:
                batch.append(found[0])
                ids.append(found[1])
        self._check_repetition(answer, ids)
        if others:
            text = f"{self.type}: entries of other types are left out: {', '.join(sorted(others))}"
            self._tell_once(text)
        if ids and self._sweep:
            batch.append(self._sweep.record(ids))
        position.page_ends()
        answer.value.entry = None  # The page's text is no longer needed: its memory is.
        if answer.value.url("next") and position.midway() != before:
            batch.append(self._state(position.midway()))
        return batch

    def _resource(
        self, resource: msgspec.Raw, encoder: messages.Encoder
    ) -> tuple[messages.EncodedRecord, str] | bundle.Rejected | str:
        """Return the record and id; or why there is none; or the name of another type."""
        head = bundle.head(resource)
        if isinstance(head, bundle.Rejected):
            return head
        if head.resourceType != self.type:
            return head.resourceType or "(no resourceType)"
        if not head.id:
            return bundle.Rejected(None, "it has no id")
        raw = bytes(resource)
        if not bundle.is_utf8(raw):
            return bundle.Rejected(head.id, "it is not valid UTF-8")
        if b"\n" in raw or b"\r" in raw:
            # Texts in JSON have no raw line ends: these are between its marks only.
            raw = raw.replace(b"\n", b" ").replace(b"\r", b" ")
        last_updated = head.meta.lastUpdated if head.meta else None
        moment = times.parse(last_updated)
        if moment:
            self._position.see(moment)
        return encoder.resource(head.id, last_updated, moment is not None, raw), head.id

    def _check_repetition(self, answer: Answer[bundle.SearchBundle], ids: list[str]) -> None:
        """Raise LinkError if the page has what the page before it had."""
        now = answer.url, hash(tuple(ids))
        if self._previous and ids and now[1] == self._previous[1]:
            raise LinkError(
                f"GET {links.shown(answer.url)} gives the same resources as the page before it"
            )
        self._previous = now

    def _one_by_one(self, begin: datetime | None) -> Generator[Batch, None, bool]:
        """Read by id, until past the resources that share a `lastUpdated` with one too large.

        Whether all was read.
        """
        query = self._query(begin, _ONE_BY_ONE, "id,meta")
        for answer in self._pages.follow(
            self.type, query, bundle.search, limit=self._config.resource_limit
        ):
            self._begin(answer)
            for entry in answer.value.entry or []:
                head = bundle.head(entry.resource) if entry and entry.resource else None
                if isinstance(head, bundle.Head) and head.resourceType == self.type and head.id:
                    yield self._by_id(head.id, head.meta)
            self._position.page_ends()
            if self._position.resume != begin:
                yield [self._state(self._position.midway())]
                return False
        return True

    def _by_id(self, id: str, meta: bundle.Meta | None) -> Batch:
        url = f"{self._config.base}/{self.type}/{id}"
        encoder = messages.Encoder(self.stream, self.type)
        ids = [self._sweep.record([id])] if self._sweep else []
        try:
            answer = self._client.get(url, msgspec.Raw, limit=self._config.resource_limit)
        except StatusError as error:
            if error.status in _GONE:
                return []
            raise
        except TooLargeError as error:
            moment = times.parse(meta.lastUpdated) if meta else None
            if moment:
                self._position.see(moment)
            return [*ids, *self._reject(id, str(error), url)]
        found = self._resource(answer.value, encoder)
        if isinstance(found, tuple):
            return [found[0], *ids]
        reason = found.reason if isinstance(found, bundle.Rejected) else f"it is a {found}"
        return [*ids, *self._reject(id, reason, url)]

    def _reject(self, id: str | None, reason: str, url: str) -> Batch:
        if id is None:
            self._sweep = None  # Not every id was seen, so nothing may be taken for deleted.
        where = links.shown(url)
        name = f"{self.type}/{id}" if id else f"a {self.type}"
        # Told in full by the message; whoever runs the connector knows whether it is new.
        self._logger.info(f"{name} cannot be carried: {reason} (GET {where})")
        return [messages.rejected(self.stream, id, f"{reason} (GET {where})")]

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._logger.warning(text)

    def _state(self, blob: dict[str, str]) -> AirbyteMessage:
        return messages.state(self.stream, blob)
