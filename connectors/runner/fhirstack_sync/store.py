"""What the runner keeps in the warehouse: the state of each stream, and a record of each run."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from fhirstack_sync.config import Warehouse

LOCK = 0x66686972  # "fhir": one number for all runners of this warehouse

_TABLES = """
CREATE TABLE IF NOT EXISTS sync.runs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  started_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  status text NOT NULL DEFAULT 'running',
  full_refresh boolean NOT NULL,
  resources bigint NOT NULL DEFAULT 0,
  deleted bigint NOT NULL DEFAULT 0,
  rejected bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0,
  seconds double precision,
  watermark timestamptz,
  error text,
  transformed text NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS sync.run_streams (
  run_id bigint NOT NULL REFERENCES sync.runs ON DELETE CASCADE,
  stream text NOT NULL,
  status text NOT NULL,
  resources bigint NOT NULL,
  deleted bigint NOT NULL,
  rejected bigint NOT NULL,
  bytes bigint NOT NULL,
  watermark timestamptz,
  PRIMARY KEY (run_id, stream)
);
CREATE TABLE IF NOT EXISTS sync.state (
  stream text PRIMARY KEY,
  state jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
"""

Connection = psycopg.Connection[tuple[Any, ...]]


_WHERE = " (GET "
"""Begins the end of a reason: the address that it was found at, which is another in each run."""
_LONGEST_KEY, _LONGEST_TEXT = 250, 1000


class BusyError(Exception):
    """Another run holds the lock, and did not end within the limit."""


@dataclass
class StreamCount:
    """What one stream carried in a run. ``watermark``: the newest change that is safely there."""

    resources: int = 0
    deleted: int = 0
    rejected: int = 0
    bytes: int = 0
    status: str = "running"
    watermark: str | None = None


@dataclass
class Outcome:
    """What a run did, for its record."""

    status: str = "running"
    error: str | None = None
    transformed: str = ""
    seconds: float = 0.0
    streams: dict[str, StreamCount] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    """How many resources of a stream the server held as its reading began, where it told."""

    def count(self, stream: str) -> StreamCount:
        """Return the count of a stream."""
        return self.streams.setdefault(stream, StreamCount())

    def total(self, name: str) -> int:
        """Return a sum over all streams: ``resources``, ``deleted``, ``rejected``, ``bytes``."""
        return sum(int(getattr(count, name)) for count in self.streams.values())

    @property
    def figures(self) -> dict[str, int]:
        """The sums over all streams, by name."""
        return {name: self.total(name) for name in ("resources", "deleted", "rejected", "bytes")}

    @property
    def watermark(self) -> str | None:
        """The oldest of the streams' watermarks: all changes before it are in the warehouse."""
        marks = [count.watermark for count in self.streams.values() if count.watermark]
        return min(marks, default=None)


def connect(warehouse: Warehouse) -> Connection:
    """Open a connection as the loader. Raises psycopg.OperationalError."""
    return psycopg.connect(
        host=warehouse.host,
        port=warehouse.port,
        dbname=warehouse.database,
        user=warehouse.username,
        password=warehouse.password_file.read_text(encoding="utf-8").strip(),
        autocommit=True,
        connect_timeout=10,
        application_name="fhirstack-sync",
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]


def _text(text: str) -> str:
    """Return what PostgreSQL's text can hold of it."""
    clean = text.replace("\0", "\ufffd").encode(errors="replace").decode()
    return clean[:_LONGEST_TEXT]


def _key(text: str) -> str:
    """Return a name that an index can hold: a long one is cut, and told apart by a digest."""
    if len(text) <= _LONGEST_KEY:
        return _text(text)
    return f"{_text(text[:_LONGEST_KEY])}… {_digest(text)}"


class Store:
    """One run's view of the records. Its connection holds the lock until it is closed."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def lock(self, limit_seconds: int) -> None:
        """Wait until no other run is on. Raises BusyError after the limit."""
        self.connection.execute(f"SET lock_timeout = '{max(limit_seconds, 1)}s'")
        try:
            self.connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        except psycopg.errors.LockNotAvailable as error:
            raise BusyError(f"another run is still on after {limit_seconds} s") from error
        self.connection.execute("SET lock_timeout = 0")

    def begin(self, *, full: bool) -> int:
        """Make the tables if need be, close what killed runs left open, and begin a run."""
        self.connection.execute(_TABLES)
        self.connection.execute(
            "UPDATE sync.runs SET status = 'killed', finished_at = now() WHERE status = 'running'"
        )
        row = self.connection.execute(
            "INSERT INTO sync.runs (full_refresh) VALUES (%s) RETURNING id", [full]
        ).fetchone()
        assert row is not None  # noqa: S101 - RETURNING of one inserted row
        return int(row[0])

    def states(self) -> dict[str, Any]:
        """Return the state of each stream."""
        return dict(self.connection.execute("SELECT stream, state FROM sync.state").fetchall())

    def save_state(self, stream: str, state: Mapping[str, Any]) -> None:
        """Keep a state that the destination acknowledged."""
        self.connection.execute(
            "INSERT INTO sync.state (stream, state) VALUES (%s, %s) ON CONFLICT (stream)"
            " DO UPDATE SET state = excluded.state, updated_at = now()",
            [stream, json.dumps(state)],
        )

    def lacks(self, stream: str) -> int:
        """Return how many resources the server would not give out in the last run."""
        row = self.connection.execute(
            "SELECT state->>'lacks' FROM sync.state WHERE stream = %s", [f"lacks {stream}"]
        ).fetchone()
        return int(row[0]) if row else 0

    def note_lack(self, stream: str, number: int) -> None:
        """Note that many: the same ones are no reason to read all of it again."""
        if number != self.lacks(stream):
            self.save_state(f"lacks {stream}", {"lacks": number})

    def forget_states(self, streams: Iterable[str]) -> None:
        """Forget the states of these streams: the next run reads them from the beginning."""
        self.connection.execute("DELETE FROM sync.state WHERE stream = ANY(%s)", [list(streams)])

    def reject(self, stream: str, name: str | None, reason: str) -> tuple[str, str, str]:
        """Note a resource that the source could not hand on; the destination notes its own.

        Returns stream, name and reason as they are kept. One without an id is known by its reason.
        """
        what, _, where = reason.partition(_WHERE)
        row = (stream, _key(name) if name else f"unknown: {_digest(what)}", _text(what))
        self.connection.execute(
            "INSERT INTO airbyte.rejected_records"
            " (stream, id, reason, detail, first_seen, last_seen)"
            " VALUES (%s, %s, %s, %s, now(), now()) ON CONFLICT (stream, id) DO UPDATE"
            " SET reason = excluded.reason, detail = excluded.detail, last_seen = now()",
            [*row, _text(f"refused by the source{_WHERE}{where}")],
        )
        return row

    def rejected(self) -> set[tuple[str, str, str]]:
        """Return stream, name and reason of all that is rejected by now."""
        found = self.connection.execute("SELECT to_regclass('airbyte.rejected_records')").fetchone()
        if not found or found[0] is None:
            return set()
        query = "SELECT stream, id, reason FROM airbyte.rejected_records"
        return {(str(a), str(b), str(c)) for a, b, c in self.connection.execute(query)}

    def held(self, stream: str) -> int:
        """Return how many resources of a stream are carried, or known to be rejected."""
        table = sql.Identifier("airbyte", stream)
        row = self.connection.execute(
            sql.SQL(
                "SELECT (SELECT count(*) FROM {}) +"
                " (SELECT count(*) FROM airbyte.rejected_records WHERE stream = %s)"
            ).format(table),
            [stream],
        ).fetchone()
        return int(row[0]) if row else 0

    def last_transformation(self) -> str:
        """Return what the last whole transformation was made with, or ''."""
        row = self.connection.execute(
            "SELECT transformed FROM sync.runs WHERE finished_at IS NOT NULL"
            " ORDER BY id DESC LIMIT 1"
        ).fetchone()
        return str(row[0]) if row else ""

    def finish(self, run: int, outcome: Outcome) -> None:
        """Record a run's end."""
        with self.connection.transaction():
            self.connection.execute(
                "UPDATE sync.runs SET finished_at = now(), status = %s, error = %s, seconds = %s,"
                " resources = %s, deleted = %s, rejected = %s, bytes = %s, watermark = %s,"
                " transformed = %s WHERE id = %s",
                [
                    outcome.status,
                    outcome.error,
                    outcome.seconds,
                    *outcome.figures.values(),
                    outcome.watermark,
                    outcome.transformed,
                    run,
                ],
            )
            with self.connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO sync.run_streams VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                    [
                        (
                            run,
                            name,
                            c.status,
                            c.resources,
                            c.deleted,
                            c.rejected,
                            c.bytes,
                            c.watermark,
                        )
                        for name, c in sorted(outcome.streams.items())
                    ],
                )


@dataclass(frozen=True)
class LastRuns:
    """For metrics: counts by status, the last good run's end, and the last run's figures."""

    by_status: Mapping[str, int]
    resources: int
    deleted: int
    rejected: int
    bytes: int
    last_success: datetime | None
    last_seconds: float
    watermark: datetime | None


def last_runs(connection: Connection) -> LastRuns:
    """Return what the records say by now."""
    by_status: dict[str, int] = dict(
        connection.execute("SELECT status, count(*) FROM sync.runs GROUP BY 1").fetchall()
    )
    totals = connection.execute(
        "SELECT coalesce(sum(resources), 0), coalesce(sum(deleted), 0),"
        " coalesce(sum(rejected), 0), coalesce(sum(bytes), 0),"
        " max(finished_at) FILTER (WHERE status = 'ok') FROM sync.runs"
    ).fetchone() or (0, 0, 0, 0, None)
    last = connection.execute(
        "SELECT coalesce(seconds, 0), watermark FROM sync.runs"
        " WHERE finished_at IS NOT NULL ORDER BY id DESC LIMIT 1"
    ).fetchone() or (0.0, None)
    resources, deleted, rejected, size, success = totals
    return LastRuns(
        by_status, int(resources), int(deleted), int(rejected), int(size), success, last[0], last[1]
    )
