"""Airbyte messages, decoded only as far as the destination looks into them.

A resource stays the bytes that arrived (``msgspec.Raw``): it never becomes Python objects, so
decimals keep their digits, and nothing is spent on what only PostgreSQL has to parse.
"""

import hashlib
import re
from mmap import mmap
from typing import Any

import msgspec
from msgspec import Raw, Struct

from .lines import Line

_NOTHING = Raw(b"")
_NULL = Raw(b"null")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_STREAM = re.compile(rb'"stream"\s*:\s*("(?:[^"\\]|\\.)*")')
_ID = re.compile(rb'"data"\s*:\s*\{\s*"id"\s*:\s*("(?:[^"\\]|\\.)*")')


class Data(Struct, gc=False):
    """Data of a record: a resource, or (stream ``resource_ids``) a part of a sweep."""

    id: str | None = None
    resource: Raw = _NOTHING
    deleted_at: Raw = msgspec.field(name="_ab_cdc_deleted_at", default=_NULL)
    resource_type: str | None = None
    sweep: str | None = None
    started_at: str | None = None
    ids: list[str] | None = None
    last: bool = False


class Meta(Struct, gc=False):
    """What the source changed in a record."""

    changes: list[Any] | None = None


class Record(Struct, gc=False):
    """A record; ``emitted_at`` in milliseconds since 1970."""

    stream: str
    data: Data
    emitted_at: float = 0
    meta: Meta | None = None


class Descriptor(Struct, gc=False):
    """Names a stream."""

    name: str
    namespace: str | None = None


class StreamStatus(Struct, gc=False):
    """How far a stream is: STARTED, RUNNING, COMPLETE or INCOMPLETE."""

    stream_descriptor: Descriptor
    status: str


class Trace(Struct, gc=False):
    """A trace; only the status of a stream matters here."""

    stream_status: StreamStatus | None = None


class StreamState(Struct, gc=False):
    """Whose state it is; the state itself is passed on as it is."""

    stream_descriptor: Descriptor


class State(Struct, gc=False):
    """A state; without a stream it is that of all streams."""

    stream: StreamState | None = None


class Message(Struct, gc=False):
    """A line of standard input."""

    type: str
    record: Record | None = None
    trace: Trace | None = None
    state: State | None = None


decode = msgspec.json.Decoder(Message).decode
_object = msgspec.json.Decoder(dict[str, Raw])
_text = msgspec.json.Decoder(str)


class Salvage(Struct, gc=False):
    """What can be known of a line that cannot be decoded; empty where it cannot."""

    is_record: bool
    stream: str
    id: str


def salvage(line: Line) -> Salvage:
    """Return the stream and id of a broken record, as far as they are where they should be."""
    is_record = re.search(rb'"type"\s*:\s*"RECORD"', line) is not None
    return Salvage(is_record, _found(_STREAM, line) or "", _found(_ID, line) or "")


def digest(line: Line) -> str:
    """Return an id for a record that has none: the same record always gets the same."""
    return f"sha256:{hashlib.sha256(line).hexdigest()}"


def _found(pattern: re.Pattern[bytes], line: Line) -> str | None:
    match = pattern.search(line)
    try:
        return _text.decode(match[1]) if match else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def without_nul(resource: Raw) -> tuple[Raw, bool]:
    """Replace the character U+0000, which jsonb cannot hold, by U+FFFD; say whether it occurred.

    An even number of backslashes before it are backslashes of the text, not its escape.
    """
    replaced = None
    held = memoryview(resource)
    for match in _NUL.finditer(held):
        if replaced is None:
            replaced = mmap(-1, len(held))
            replaced.write(held)
        replaced[match.end() - 4 : match.end()] = b"fffd"
    return (resource, False) if replaced is None else (Raw(replaced), True)


def with_destination_stats(line: Line, records: int) -> bytes:
    """Return a STATE line with ``destinationStats``; all else in it stays as it is, exactly."""
    outer = _object.decode(line)
    state = _object.decode(outer["state"])
    state["destinationStats"] = Raw(msgspec.json.encode({"recordCount": float(records)}))
    outer["state"] = Raw(msgspec.json.encode(state))
    return msgspec.json.encode(outer)
