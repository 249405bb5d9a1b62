"""Messages gathered into batches; a batch becomes one transaction.

In a batch the last message of an id wins. What must see all that came before it (the end of a
sweep or of a full refresh) closes its batch.
"""

import time
from datetime import UTC, datetime
from mmap import mmap

import msgspec

from .batch import LONGEST_ID, Batch, Changes, IdList, PendingState, Rejection, Removal, Row
from .lines import IDLE, Cut, Item, Line, Oversized
from .messages import (
    Message,
    Record,
    Salvage,
    decode,
    digest,
    salvage,
    with_destination_stats,
    without_nul,
)
from .streams import SWEEP_STREAM, Streams

STATE_SECONDS = 2.0
_LATEST_MS = 253_402_300_800_000  # the year 10000, which timestamptz could hold but datetime not
_REPLACED = {
    "field": "resource",
    "change": "TRUNCATED",
    "reason": "DESTINATION_SERIALIZATION_ERROR",
}


class Batcher:
    """Takes lines and hands out batches."""

    def __init__(self, streams: Streams, rows: int, size: int) -> None:
        self._streams = streams
        self._rows, self._size = rows, size
        self._counts: dict[str, int] = {}
        self._total = 0
        self._batch = Batch()

    def seal(self) -> Batch:
        """Return what was gathered, and begin anew."""
        batch, self._batch = self._batch, Batch()
        return batch

    def take(self, item: Item) -> bool:
        """Take a line, and say whether the batch is to be committed now."""
        batch = self._batch
        if item is IDLE:
            return bool(batch.states or batch.ignored)
        if isinstance(item, Oversized):
            detail = f"{item.size} bytes are more than max_record_bytes"
            self._unread(salvage(item.prefix), item.prefix, "too large", detail)
        elif isinstance(item, (bytes, bytearray, mmap)):
            self._line(item)
        return (
            batch.removal is not None
            or batch.bytes >= self._size
            or batch.records >= self._rows
            or bool(batch.states and time.monotonic() - batch.since > STATE_SECONDS)
        )

    def _line(self, line: Line) -> None:
        try:
            message = decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._broken(line, error)
            return
        if message.record is not None:
            self._count(message.record.stream, len(line))
            self._record(message.record, line)
        elif message.state is not None:
            self._state(message, line)
        elif message.trace is not None and message.trace.stream_status is not None:
            status = message.trace.stream_status
            landing = self._streams.by_name.get(status.stream_descriptor.name)
            if status.status == "COMPLETE" and landing and landing.refresh:
                self._batch.removal = Removal(landing, landing.refresh, None)

    def _record(self, record: Record, line: Line) -> None:
        data = record.data
        if record.stream == SWEEP_STREAM:
            self._sweep(record, line)
            return
        landing = self._streams.by_name.get(record.stream)
        if landing is None:
            known = data.id or digest(line)
            self._reject(record.stream, known, "unknown stream", "not in the catalogue")
            return
        if not data.id:
            self._reject(record.stream, digest(line), "no id", "the record has no id")
            return
        if len(data.id) > LONGEST_ID or "\0" in data.id:
            detail = f"longer than {LONGEST_ID} characters, or with the character U+0000"
            self._reject(record.stream, data.id, "bad id", detail)
            return
        batch = self._batch
        changes = batch.changes.get(landing)
        if changes is None:
            changes = batch.changes[landing] = Changes()
        if batch.rejections:
            batch.rejections.pop((record.stream, data.id), None)
        if bytes(data.deleted_at) != b"null":
            changes.rows[data.id] = None
            return
        changes.bytes += len(memoryview(data.resource))
        if landing.refresh:
            changes.seen.append(data.id)
        self._upsert(changes, data.id, record, line.find(b"\\u0000") >= 0)

    def _upsert(self, changes: Changes, key: str, record: Record, suspect: bool) -> None:
        resource, replaced = record.data.resource, False
        if suspect:
            resource, replaced = without_nul(resource)
        if bytes(memoryview(resource)[:1]) != b"{":
            self._reject(record.stream, key, "no resource", "the resource is not a JSON object")
            return
        marks = record.meta.changes if record.meta else None
        if replaced:
            marks = [*(marks or ()), _REPLACED]
            detail = "U+0000 was replaced by U+FFFD; the resource is carried"
            self._reject(record.stream, key, "character U+0000", detail)
        emitted = record.emitted_at
        if not 0 < emitted < _LATEST_MS:
            emitted = time.time_ns() // 1_000_000
        changes.rows[key] = Row(resource, int(emitted), marks)

    def _sweep(self, record: Record, line: Line) -> None:
        data = record.data
        landing = self._streams.of_resource_type(data.resource_type or "")
        if landing is None:
            detail = f"the resource type {data.resource_type!r} is not in the catalogue"
            self._reject(SWEEP_STREAM, data.id or digest(line), "unknown stream", detail)
            return
        try:
            before = datetime.fromisoformat(data.started_at or "")
        except ValueError:
            before = None
        if not data.sweep or data.ids is None or before is None:
            detail = "sweep, started_at or ids is missing"
            self._reject(SWEEP_STREAM, data.id or digest(line), "bad sweep", detail)
            self._batch.poisoned.add(SWEEP_STREAM)
            return
        run = f"sweep {data.sweep}"
        # No stored id holds the character that PostgreSQL's text cannot.
        ids = [key for key in data.ids if "\0" not in key]
        self._batch.id_lists.append(IdList(landing, run, ids))
        if data.last:
            before = before if before.tzinfo else before.replace(tzinfo=UTC)
            self._batch.removal = Removal(landing, run, before)

    def _broken(self, line: Line, error: Exception) -> None:
        found = salvage(line)
        if isinstance(line, Cut) or not found.is_record:
            start = bytes(line[:200]).decode(errors="replace")
            self._batch.ignored.append(f"ignored a line that is no message ({error}): {start}")
            return
        self._unread(found, line, "invalid message", str(error))

    def _unread(self, found: Salvage, line: Line, reason: str, detail: str) -> None:
        """Reject a record that could not be decoded.

        Without its id nobody knows which row it would have kept, so what is absent from the
        stream must not be removed in this run.
        """
        self._count(found.stream, len(line))
        self._reject(found.stream, found.id or digest(line), reason, detail)
        landing = self._streams.by_name.get(found.stream)
        if found.stream in ("", SWEEP_STREAM) or not found.id:
            self._batch.poisoned.add(found.stream)
        elif landing and landing.refresh:
            self._batch.changes.setdefault(landing, Changes()).seen.append(found.id)

    def _reject(self, stream: str, key: str, reason: str, detail: str) -> None:
        self._batch.rejections[stream, key] = Rejection(stream, key, reason, detail)

    def _state(self, message: Message, line: Line) -> None:
        state = message.state
        stream = state.stream.stream_descriptor.name if state and state.stream else None
        if stream is None:
            records, self._total = self._total, 0
        else:
            records = self._counts.pop(stream, 0)
        passed_on = with_destination_stats(line, records)
        self._batch.states.append(PendingState(passed_on, stream))

    def _count(self, stream: str, size: int) -> None:
        self._batch.records += 1
        self._batch.bytes += size
        self._total += 1
        self._counts[stream] = self._counts.get(stream, 0) + 1
