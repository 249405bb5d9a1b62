"""Rows that the source no longer has: the end of a sweep, and of a full refresh.

Both gather, in a table, lists of the ids that were seen; so a process that takes over after a
kill knows what the one before has seen.
"""

from dataclasses import dataclass

from psycopg import Connection, Rollback, sql

from .batch import Removal
from .settings import Settings
from .streams import ID_LISTS, REFRESHES, REJECTED, SWEEP_STREAM, Landing

Session = Connection[tuple[object, ...]]
GUARDED_ROWS = 1_000
_REMEMBER = sql.SQL("INSERT INTO {} (landing, run, ids) VALUES (%s, %s, %s)")
_SEEN = sql.SQL(
    "NOT EXISTS (SELECT FROM (SELECT unnest(l.ids) AS id FROM {lists} l"
    " WHERE l.landing = %(landing)s AND l.run = %(run)s) seen WHERE seen.id = t.id)"
)
_DELETE = sql.SQL(
    "DELETE FROM {table} t WHERE (%(before)s::timestamptz IS NULL"
    " OR t._airbyte_extracted_at < %(before)s"
    # Stamped while a clock was ahead.
    " OR t._airbyte_extracted_at > now() + interval '1 day') AND {absent}"
)
_DELETE_REJECTED = sql.SQL(
    "DELETE FROM {table} t WHERE t.stream = %(stream)s"
    " AND (%(before)s::timestamptz IS NULL OR t.last_seen < %(before)s) AND {absent}"
)
_FORGET = sql.SQL(
    "DELETE FROM {} WHERE landing = %(landing)s"
    " AND starts_with(run, 'sweep ') = starts_with(%(run)s, 'sweep ')"
)
_COMPLETE = sql.SQL(
    "INSERT INTO {} (landing, run, completed_at) VALUES (%(landing)s, %(run)s, now())"
    " ON CONFLICT (landing) DO UPDATE SET run = excluded.run, completed_at = excluded.completed_at"
)


@dataclass(frozen=True, slots=True)
class Removed:
    """How many rows went, or why none did."""

    rows: int
    refused: str | None = None


def remember(
    connection: Session, settings: Settings, landing: Landing, run: str, ids: list[str]
) -> None:
    """Note ids that were seen."""
    if ids:
        table = sql.Identifier(settings.schema, ID_LISTS)
        connection.execute(_REMEMBER.format(table), (landing.table, run, ids))


def remove_absent(
    connection: Session, settings: Settings, removal: Removal, poisoned: set[str]
) -> Removed:
    """Delete the rows that were not seen, unless that would be too many.

    ``poisoned`` names the streams of which an unreadable record came ("" when nobody knows of
    which): their lists are not whole.
    """
    landing = removal.landing
    sweep = removal.before is not None
    table = sql.Identifier(settings.schema, landing.table)
    values = {
        "landing": landing.table,
        "run": removal.run,
        "before": removal.before,
        "stream": landing.stream,
    }
    lists = sql.Identifier(settings.schema, ID_LISTS)
    absent = _SEEN.format(lists=lists)
    what = "sweep" if sweep else "full refresh"
    origin = SWEEP_STREAM if sweep else landing.stream
    refused, rows = None, 0
    if poisoned & {"", origin}:
        refused = (
            f"the {what} of {landing.table} deleted nothing, because a record that could not be "
            f"read came with it. See {settings.schema}.{REJECTED}, then run again."
        )
    else:
        with connection.transaction():
            rows = connection.execute(_DELETE.format(table=table, absent=absent), values).rowcount
            refused = _too_many(connection, settings, table, what, rows)
            if refused:
                raise Rollback
    if refused:
        return Removed(0, refused)
    rejected = sql.Identifier(settings.schema, REJECTED)
    connection.execute(_DELETE_REJECTED.format(table=rejected, absent=absent), values)
    connection.execute(_FORGET.format(lists), values)
    if not sweep:
        refreshes = sql.Identifier(settings.schema, REFRESHES)
        connection.execute(_COMPLETE.format(refreshes), values)
    return Removed(rows)


def _too_many(
    connection: Session, settings: Settings, table: sql.Identifier, what: str, rows: int
) -> str | None:
    """Say why a removal must not take place, if so; ``rows`` are deleted, not yet committed."""
    if settings.allow_large_sweeps or not rows:
        return None
    found = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
    left = found[0] if found and isinstance(found[0], int) else 0
    total = left + rows
    if total <= GUARDED_ROWS or rows <= settings.sweep_limit_share * total:
        return None
    return (
        f"the {what} of {table.as_string(connection)} would delete {rows} of {total} rows, more "
        f"than the share {settings.sweep_limit_share:g}: nothing was deleted. If the source has "
        "lost them indeed, run once with allow_large_sweeps."
    )
