"""One batch in one transaction. Doing it twice has the same effect as doing it once."""

from dataclasses import dataclass, field

from psycopg import Connection, sql

from .batch import LONGEST_ID, Batch, Changes, Rejection
from .messages import digest
from .removal import remember, remove_absent
from .settings import Settings
from .staging import meta, stage
from .streams import REJECTED, Landing

Session = Connection[tuple[object, ...]]
# The comparison is of the binary images: 1.50 differs from 1.5, and comparing costs little. A row
# that is as it was is neither locked nor written.
_UPSERT = sql.SQL(
    "INSERT INTO {table} AS kept"
    " (id, resource, _airbyte_raw_id, _airbyte_extracted_at, _airbyte_meta)"
    " SELECT s.id, s.resource, gen_random_uuid()::text, s.extracted_at, coalesce(s.meta, {meta})"
    " FROM pg_temp.staging s LEFT JOIN LATERAL"
    " (SELECT c.resource FROM {table} c WHERE c.id = s.id LIMIT 1) c ON true"
    " WHERE s.stream = {number} AND ROW(c.resource)::record *<> ROW(s.resource)::record"
    " ON CONFLICT (id) DO UPDATE SET resource = excluded.resource,"
    " _airbyte_raw_id = excluded._airbyte_raw_id,"
    # With the id it names a version, by which tables made of this one know what is new.
    " _airbyte_extracted_at = CASE WHEN kept._airbyte_extracted_at - excluded._airbyte_extracted_at"
    " BETWEEN interval '0' AND interval '1 second'"
    " THEN kept._airbyte_extracted_at + interval '1 microsecond'"
    " ELSE excluded._airbyte_extracted_at END,"
    " _airbyte_meta = excluded._airbyte_meta"
    " WHERE ROW(kept.resource)::record *<> ROW(excluded.resource)::record"
)
_DELETE = sql.SQL("DELETE FROM {} WHERE id = ANY(%s)")
_FORGET = sql.SQL("DELETE FROM {} WHERE stream = %s AND id = ANY(%s)")
_REJECT = sql.SQL(
    "INSERT INTO {} AS kept (stream, id, reason, detail, first_seen, last_seen)"
    " VALUES (%s, %s, %s, %s, now(), now()) ON CONFLICT (stream, id) DO UPDATE"
    " SET reason = excluded.reason, detail = excluded.detail, last_seen = excluded.last_seen"
)
_KNOWN = sql.SQL(
    "SELECT stream, id, reason FROM {} JOIN unnest(%s::text[], %s::text[]) AS asked (s, i)"
    " ON stream = s AND id = i"
)
_LONGEST_DETAIL = 1_000
_LONGEST = 300
"""Characters: stream and id, at four bytes each, fit one index entry."""


@dataclass(slots=True)
class Loaded:
    """What a batch did to one stream, in rows, and bytes of resources that came."""

    written: int = 0
    unchanged: int = 0
    deleted: int = 0
    rejected: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Outcome:
    """What a batch did; ``refused`` says why its removal did not take place.

    ``new`` are the rejections that were not known before, with the names that they are kept by.
    """

    streams: dict[str, Loaded] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)
    new: list[Rejection] = field(default_factory=list)
    refused: str | None = None

    def of(self, stream: str) -> Loaded:
        """Return the counters of a stream."""
        return self.streams.setdefault(stream, Loaded())


class Loader:
    """Loads batches into the landing tables of one schema."""

    def __init__(self, settings: Settings, rejected_streams: set[str]) -> None:
        self._settings = settings
        self._rejected = sql.Identifier(settings.schema, REJECTED)
        # Streams that have rows in rejected_records, so that the others need not ask.
        self._with_rejections = rejected_streams

    def load(self, connection: Session, batch: Batch, poisoned: set[str]) -> Outcome:
        """Bring a batch in, inside the transaction that is under way."""
        outcome = Outcome(rejections=list(batch.rejections.values()))
        rows = [
            (landing, key, row)
            for landing, changes in batch.changes.items()
            for key, row in changes.rows.items()
            if row is not None
        ]
        unfit = stage(connection, rows)
        outcome.rejections += unfit
        for landing, changes in batch.changes.items():
            self._change(connection, landing, changes, outcome)
            if landing.refresh:
                remember(connection, self._settings, landing, landing.refresh, changes.seen)
        self._reject(connection, outcome)
        for part in batch.id_lists:
            remember(connection, self._settings, part.landing, part.run, part.ids)
        if batch.removal:
            removed = remove_absent(connection, self._settings, batch.removal, poisoned)
            outcome.refused = removed.refused
            outcome.of(batch.removal.landing.stream).deleted += removed.rows
        return outcome

    def _change(
        self, connection: Session, landing: Landing, changes: Changes, outcome: Outcome
    ) -> None:
        table = sql.Identifier(self._settings.schema, landing.table)
        loaded = outcome.of(landing.stream)
        loaded.bytes += changes.bytes
        gone = [key for key, row in changes.rows.items() if row is None]
        if gone:
            loaded.deleted += connection.execute(_DELETE.format(table), (gone,)).rowcount
        unfit = {r.id for r in outcome.rejections if r.stream == landing.stream}
        staged = len(changes.rows) - len(gone)
        if staged:
            default = sql.Literal(meta(landing, []).decode()) + sql.SQL("::jsonb")
            query = _UPSERT.format(table=table, meta=default, number=sql.Literal(landing.number))
            loaded.written += connection.execute(query).rowcount
        if landing.stream in self._with_rejections:
            carried = [key for key in changes.rows if key not in unfit]
            connection.execute(_FORGET.format(self._rejected), (landing.stream, carried))
        loaded.unchanged += staged - loaded.written

    def _reject(self, connection: Session, outcome: Outcome) -> None:
        if not outcome.rejections:
            return
        rows = []
        for rejection in outcome.rejections:
            outcome.of(rejection.stream).rejected += 1
            self._with_rejections.add(rejection.stream)
            name = _fitting(rejection.stream), _fitting(rejection.id)
            detail = rejection.detail.replace("\0", "\ufffd")[:_LONGEST_DETAIL]
            rows.append(Rejection(*name, rejection.reason, detail))
        names = [row.stream for row in rows], [row.id for row in rows]
        known = set(connection.execute(_KNOWN.format(self._rejected), names))
        outcome.new = [row for row in rows if (row.stream, row.id, row.reason) not in known]
        with connection.cursor() as cursor:
            cursor.executemany(
                _REJECT.format(self._rejected),
                [(row.stream, row.id, row.reason, row.detail) for row in rows],
            )


def rejected_streams(connection: Session, settings: Settings) -> set[str]:
    """Return the streams that have rows in rejected_records."""
    query = sql.SQL("SELECT DISTINCT stream FROM {}")
    found = connection.execute(query.format(sql.Identifier(settings.schema, REJECTED)))
    return {str(row[0]) for row in found}


def _fitting(text: str) -> str:
    """Return a text that the table rejected_records can hold as a key."""
    text = text.replace("\0", "\ufffd")
    if len(text) > _LONGEST:
        kept = text[:LONGEST_ID]
        return f"{kept}… {digest(text.encode(errors='replace'))}"
    return text
