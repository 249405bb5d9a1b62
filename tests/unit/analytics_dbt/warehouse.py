"""A warehouse of a test's own: schemas, roles and landing tables as dbt finds them."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

PROJECT = Path(__file__).parents[3] / "analytics" / "dbt"

ROLES = ("warehouse_loader", "warehouse_transformer", "warehouse_dashboard", "warehouse_analyst")
STREAMS = (
    *("patient", "group", "location", "organization", "organization_affiliation"),
    *("practitioner", "practitioner_role", "care_team", "encounter", "condition", "flag"),
    *("observation", "care_plan", "task", "questionnaire_response", "related_person"),
    *("immunization", "procedure", "medication_request", "service_request"),
)

# The role belongs to the server, which all warehouses of a test run share.
PASSWORD = secrets.token_urlsafe()

_SCHEMAS = """
create schema airbyte;
create schema sync;
grant usage on schema airbyte, sync to warehouse_transformer;
create schema staging authorization warehouse_transformer;
create schema marts authorization warehouse_transformer;
create schema marts_anonymous authorization warehouse_transformer;
grant usage on schema marts to warehouse_analyst;
grant usage on schema marts_anonymous to warehouse_analyst, warehouse_dashboard;
alter default privileges for role warehouse_transformer in schema marts
  grant select on tables to warehouse_analyst;
alter default privileges for role warehouse_transformer in schema marts_anonymous
  grant select on tables to warehouse_analyst, warehouse_dashboard;
create table airbyte.rejected_records (
  stream text, id text, reason text, detail text, first_seen timestamptz, last_seen timestamptz,
  primary key (stream, id)
);
create table sync.runs (
  id bigint, started_at timestamptz, finished_at timestamptz, status text, full_refresh boolean,
  resources bigint, deleted bigint, rejected bigint, bytes bigint, seconds double precision,
  watermark timestamptz, error text
);
create table sync.run_streams (
  run_id bigint, stream text, status text, resources bigint, deleted bigint, rejected bigint,
  bytes bigint, watermark timestamptz
);
"""
_LANDING = """
create table airbyte.{table} (
  id text primary key, resource jsonb not null, _airbyte_raw_id text not null,
  _airbyte_extracted_at timestamptz not null, _airbyte_meta jsonb not null
);
create index on airbyte.{table} (_airbyte_extracted_at);
"""
_LAND = """
insert into airbyte.{table} values (%s, %s, gen_random_uuid()::text, %s::timestamptz, '{{}}')
on conflict (id) do update set
  resource = excluded.resource, _airbyte_extracted_at = excluded._airbyte_extracted_at
"""


@contextmanager
def new_warehouse(conninfo: str, *, dbt: str, directory: Path) -> Iterator["Warehouse"]:
    """Yield a warehouse in a database of its own on the superuser's server, and drop it."""
    name = sql.Identifier(f"analytics_{secrets.token_hex(8)}")
    with psycopg.connect(conninfo, autocommit=True) as server:
        server.execute(sql.SQL("create database {}").format(name))
        warehouse = Warehouse(
            conninfo=make_conninfo(conninfo, dbname=name.as_string().strip('"')),
            dbt=dbt,
            directory=directory,
        )
        try:
            warehouse.prepare()
            yield warehouse
        finally:
            warehouse.close()
            server.execute(sql.SQL("drop database {} with (force)").format(name))


class Warehouse:
    """The database, and dbt run on it as the transformer."""

    def __init__(self, *, conninfo: str, dbt: str, directory: Path) -> None:
        """``directory`` takes dbt's profile, target and logs."""
        self._dbt = dbt
        self._directory = directory
        self._connection = psycopg.connect(conninfo, autocommit=True)
        parts = conninfo_to_dict(conninfo)
        profile = {
            "type": "postgres",
            "host": parts.get("host", "127.0.0.1"),
            "port": int(parts.get("port") or 5432),
            "user": "warehouse_transformer",
            "password": PASSWORD,
            "dbname": parts["dbname"],
            "schema": "staging",
            "threads": 4,
        }
        (directory / "profiles.yml").write_text(
            json.dumps({"warehouse": {"target": "warehouse", "outputs": {"warehouse": profile}}})
        )

    def close(self) -> None:
        self._connection.close()

    def prepare(self) -> None:
        """Make schemas and tables, and the roles that the server does not have."""
        for role in ROLES:
            known = self.rows("select 1 from pg_roles where rolname = %s", role)
            if not known:
                self._connection.execute(sql.SQL("create role {}").format(sql.Identifier(role)))
        self._connection.execute(
            sql.SQL("alter role warehouse_transformer login password {}").format(PASSWORD)
        )
        self._connection.execute(_SCHEMAS)
        for stream in STREAMS:
            self._connection.execute(sql.SQL(_LANDING).format(table=sql.Identifier(stream)))
        self._connection.execute(
            "grant select on all tables in schema airbyte, sync to warehouse_transformer"
        )

    def land(self, stream: str, resources: Iterable[dict[str, Any]], *, at: str) -> None:
        """Put resources into a stream's table as of ``at``, in place of older versions."""
        statement = sql.SQL(_LAND).format(table=sql.Identifier(stream))
        with self._connection.cursor() as cursor:
            cursor.executemany(statement, [(one["id"], json.dumps(one), at) for one in resources])

    def remove(self, stream: str, resource_id: str) -> None:
        """Delete a landed row, which must be there."""
        statement = sql.SQL("delete from airbyte.{} where id = %s").format(sql.Identifier(stream))
        assert self._connection.execute(statement, (resource_id,)).rowcount == 1

    def dbt(self, *arguments: str) -> str:
        """Run dbt and return what it wrote. Fails the test if dbt fails."""
        done = subprocess.run(
            [self._dbt, "--no-use-colors", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "DBT_PROJECT_DIR": str(PROJECT),
                "DBT_PROFILES_DIR": str(self._directory),
                "DBT_TARGET_PATH": str(self._directory / "target"),
                "DBT_LOG_PATH": str(self._directory / "logs"),
            },
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rows(self, query: str, *values: object, role: str | None = None) -> list[tuple[Any, ...]]:
        """Return a query's rows, asked for by ``role``. Raises psycopg.Error."""
        with self._connection.transaction():
            if role:
                self._connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
            return self._connection.execute(query.encode(), values or None).fetchall()

    def texts(self, query: str) -> list[list[str | None]]:
        """Return a query's rows as texts, which is how the cases are written."""
        return [[_text(value) for value in row] for row in self.rows(query)]

    def execute(self, statement: str) -> None:
        self._connection.execute(statement.encode())

    def dump(self, schemas: Sequence[str]) -> dict[str, list[str]]:
        """Return every table's rows as JSON texts, sorted, the tables by name."""
        tables = self.rows(
            "select schemaname || '.' || tablename from pg_tables where schemaname = any(%s)",
            list(schemas),
        )
        return {
            table: [
                row
                for (row,) in self.rows(f"select to_jsonb(t)::text from {table} t order by 1")  # noqa: S608
            ]
            for (table,) in sorted(tables)
        }


def _text(value: object) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case list():
            return "{" + ",".join(map(str, value)) + "}"
    return str(value)
