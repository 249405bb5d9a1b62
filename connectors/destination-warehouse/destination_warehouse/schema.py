"""The landing schema: made where it is missing, and refused where it is something else."""

from collections.abc import Iterable

import psycopg
from psycopg import Connection, sql

from .settings import Settings, config_error
from .streams import ID_LISTS, REFRESHES, REJECTED, Landing

# column → (type, value for rows that were there before the column; None: there must be no rows)
_LANDING = {
    "id": ("text", None),
    "resource": ("jsonb", None),
    "_airbyte_raw_id": ("text", "gen_random_uuid()::text"),
    "_airbyte_extracted_at": ("timestamp with time zone", "now()"),
    "_airbyte_meta": ("jsonb", "'{\"changes\": []}'::jsonb"),
}
_OWN = {
    REJECTED: (
        "stream text, id text, reason text NOT NULL, detail text NOT NULL,"
        " first_seen timestamptz NOT NULL, last_seen timestamptz NOT NULL,"
        " PRIMARY KEY (stream, id)"
    ),
    ID_LISTS: "landing text NOT NULL, run text NOT NULL, ids text[] NOT NULL",
    REFRESHES: "landing text PRIMARY KEY, run text NOT NULL, completed_at timestamptz NOT NULL",
}
_COLUMNS = (
    "SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a"
    " WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped"
)
_UNIQUE = (
    "SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid"
    " AND a.attnum = i.indkey[0] WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid"
    " AND i.indnkeyatts = 1 AND i.indpred IS NULL AND i.indexprs IS NULL AND a.attname = 'id'"
)
# By both columns a version is known; an index of the first alone was made by earlier versions.
_INDEXED = (
    "SELECT i.indexrelid::regclass::text, i.indnkeyatts > 1 FROM pg_index i"
    " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
    " LEFT JOIN pg_attribute b ON b.attrelid = i.indrelid AND b.attnum = i.indkey[1]"
    " WHERE i.indrelid = %s AND a.attname = '_airbyte_extracted_at' AND i.indpred IS NULL"
    " AND (i.indnkeyatts = 1 OR b.attname = 'id')"
)
Session = Connection[tuple[object, ...]]


def prepare(connection: Session, settings: Settings, landings: Iterable[Landing]) -> set[str]:
    """Make schema and tables, and return the tables whose full refresh is complete already.

    Raises AirbyteTracedException with the remedy when a table has another shape.
    """
    _make_schema(connection, settings)
    for name, columns in _OWN.items():
        statement = sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})")
        table = sql.Identifier(settings.schema, name)
        connection.execute(statement.format(table, sql.SQL(columns)))
    done = set()
    for landing in landings:
        _make_table(connection, settings.schema, landing.table)
        if landing.refresh and _refreshed(connection, settings.schema, landing):
            done.add(landing.table)
    return done


def _make_schema(connection: Session, settings: Settings) -> None:
    found = connection.execute(
        "SELECT has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE')"
        " FROM pg_namespace WHERE nspname = %s",
        (settings.schema,),
    ).fetchone()
    name, role = sql.Identifier(settings.schema), sql.Identifier(settings.username)
    if found is None:
        try:
            with connection.transaction():
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
        except psycopg.errors.InsufficientPrivilege as error:
            remedy = sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(name, role)
            raise config_error(
                f"the schema {settings.schema} does not exist in {settings.database}, and "
                f"{settings.username} may not create it. Run as its administrator: "
                f"{remedy.as_string(connection)}"
            ) from error
    elif not found[0]:
        remedy = sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {}").format(name, role)
        raise config_error(
            f"{settings.username} may not create tables in the schema {settings.schema}. "
            f"Run as its owner: {remedy.as_string(connection)}"
        )


def _make_table(connection: Session, schema: str, name: str) -> None:
    table = sql.Identifier(schema, name)
    text = table.as_string(connection)
    row = connection.execute(
        "SELECT c.oid, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s",
        (schema, name),
    ).fetchone()
    if row is None:
        columns = ", ".join(f"{column} {kind} NOT NULL" for column, (kind, _) in _LANDING.items())
        statement = sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY (id))")
        connection.execute(statement.format(table, sql.SQL(columns)))
        _index(connection, table)
        return
    oid, kind = row
    if kind not in ("r", "p"):
        raise config_error(f"{text} is not a table. Drop or rename it; the next run makes a table.")
    _complete(connection, table, oid)
    if not connection.execute(_UNIQUE, (oid,)).fetchone():
        try:
            with connection.transaction():
                connection.execute(sql.SQL("ALTER TABLE {} ADD UNIQUE (id)").format(table))
        except psycopg.errors.UniqueViolation as error:
            raise config_error(
                f"{text} holds several rows of one id ({error.diag.message_detail}). Remove the "
                f"doubles, or rename the table; the next run makes and fills a new one."
            ) from error
    indexes = connection.execute(_INDEXED, (oid,)).fetchall()
    if not any(whole for _, whole in indexes):
        _index(connection, table)
        for found, _ in indexes:
            connection.execute(sql.SQL(f"DROP INDEX {found}"))


def _complete(connection: Session, table: sql.Identifier, oid: object) -> None:
    text = table.as_string(connection)
    present = {str(column): kind for column, kind in connection.execute(_COLUMNS, (oid,))}
    for column, (kind, default) in _LANDING.items():
        if column not in present:
            _add_column(connection, table, column, kind, default)
        elif present[column] != kind:
            raise config_error(
                f"the column {column} of {text} is {present[column]}, not {kind}. Rename the table "
                f"(ALTER TABLE {text} RENAME TO …); the next run makes and fills a new one."
            )


def _add_column(
    connection: Session, table: sql.Identifier, column: str, kind: str, default: str | None
) -> None:
    name = sql.Identifier(column)
    if default is None:
        row = connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(table)).fetchone()
        if row:
            text = table.as_string(connection)
            raise config_error(
                f"{text} has rows but no column {column}. Rename the table "
                f"(ALTER TABLE {text} RENAME TO …); the next run makes and fills a new one."
            )
    clause = sql.SQL(f" DEFAULT {default}" if default else "")
    statement = sql.SQL("ALTER TABLE {} ADD COLUMN {} {} NOT NULL{}")
    connection.execute(statement.format(table, name, sql.SQL(kind), clause))
    if default:
        statement = sql.SQL("ALTER TABLE {} ALTER COLUMN {} DROP DEFAULT")
        connection.execute(statement.format(table, name))


def _index(connection: Session, table: sql.Identifier) -> None:
    connection.execute(sql.SQL("CREATE INDEX ON {} (_airbyte_extracted_at, id)").format(table))


def _refreshed(connection: Session, schema: str, landing: Landing) -> bool:
    """Say whether this full refresh is complete; marks that others left behind go."""
    refreshes, lists = sql.Identifier(schema, REFRESHES), sql.Identifier(schema, ID_LISTS)
    forget = sql.SQL(
        "DELETE FROM {} WHERE landing = %s AND NOT starts_with(run, 'sweep ') AND run <> %s"
    )
    connection.execute(forget.format(lists), (landing.table, landing.refresh))
    ask = sql.SQL("SELECT 1 FROM {} WHERE landing = %s AND run = %s")
    found = connection.execute(ask.format(refreshes), (landing.table, landing.refresh)).fetchone()
    return found is not None
