"""Resources into the staging table: binary COPY, which PostgreSQL parses once into jsonb.

What jsonb cannot hold is found by halving: a good half stays, a bad one is halved again. The one
bad among thousands costs about as much as sending the batch twice more.
"""

import struct
from collections.abc import Iterator, Sequence

import msgspec
import psycopg
from psycopg import Connection

from .batch import Rejection, Row
from .failures import is_bad_record
from .streams import Landing

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_END = struct.pack("!h", -1)
_FIRST = struct.Struct("!hihi")  # number of fields; length and stream; length of the id
_LENGTH = struct.Struct("!i")
_TIME = struct.Struct("!iqi")  # length and time; length of the meta
_NO_META = -1
_JSONB = b"\1"
_EPOCH_MS = 946_684_800_000  # 2000-01-01, where PostgreSQL's time begins
_CHUNK = 131_072
_COPY = "COPY pg_temp.staging (stream, id, resource, extracted_at, meta) FROM STDIN (FORMAT binary)"

Session = Connection[tuple[object, ...]]
Staged = tuple[Landing, str, Row]


def stage(connection: Session, rows: Sequence[Staged]) -> list[Rejection]:
    """Put rows into the staging table, and return those that PostgreSQL cannot hold."""
    if not rows:
        return []
    try:
        with connection.transaction(), connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for chunk in _encoded(rows):
                copy.write(chunk)
    except psycopg.Error as error:
        if not is_bad_record(error):
            raise
        if len(rows) == 1:
            landing, key, _ = rows[0]
            return [Rejection(landing.stream, key, _reason(error), _detail(error))]
        half = len(rows) // 2
        return stage(connection, rows[:half]) + stage(connection, rows[half:])
    return []


def _encoded(rows: Sequence[Staged]) -> Iterator[bytes]:
    parts: list[bytes | msgspec.Raw | memoryview] = [_HEADER]
    size = 0
    for landing, key, row in rows:
        name = key.encode()
        resource = memoryview(row.resource)
        length = len(resource)
        meta = b"" if row.changes is None else _meta(landing, row.changes)
        micros = (row.emitted_ms - _EPOCH_MS) * 1000
        parts += (
            _FIRST.pack(5, 2, landing.number, len(name)),
            name,
            _LENGTH.pack(length + 1),
            _JSONB,
        )
        if length > _CHUNK:
            yield b"".join(parts)
            yield from (bytes(resource[at : at + _CHUNK]) for at in range(0, length, _CHUNK))
            parts, size = [], 0
        else:
            parts.append(resource)
            size += length
        parts += (_TIME.pack(8, micros, len(meta) or _NO_META), meta)
        if size > _CHUNK:
            yield b"".join(parts)
            parts, size = [], 0
    parts.append(_END)
    yield b"".join(parts)


def _meta(landing: Landing, changes: list[object]) -> bytes:
    return _JSONB + meta(landing, changes)


def meta(landing: Landing, changes: list[object]) -> bytes:
    """Return the JSON of ``_airbyte_meta``."""
    value: dict[str, object] = {} if landing.sync_id is None else {"sync_id": landing.sync_id}
    return msgspec.json.encode({**value, "changes": changes})


def _reason(error: psycopg.Error) -> str:
    reasons = {
        "54001": "nested too deeply",
        "22003": "number out of range",
        "22021": "invalid UTF-8",
        "22P05": "character U+0000",
        "54000": "too large for jsonb",
    }
    return reasons.get(error.sqlstate or "", "invalid JSON")


def _detail(error: psycopg.Error) -> str:
    detail = error.diag.message_detail
    message = error.diag.message_primary or str(error)
    return f"{message}: {detail}" if detail else message
