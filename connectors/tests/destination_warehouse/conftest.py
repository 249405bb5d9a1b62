"""A schema of its own for each test, and the destination run in it: in process or as a process."""

import io
import json
import os
import secrets
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import conninfo, sql

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the CDK's own classes warn that they are experimental
    from airbyte_cdk.models import AirbyteMessageSerializer, ConfiguredAirbyteCatalogSerializer
    from destination_warehouse import DestinationWarehouse

EMITTED = 1_767_225_600_000  # 2026-01-01T00:00:00Z
TORN = b"<torn>"  # at the end of a line: it has no end
Lines = list[bytes]


@dataclass
class Site:
    """A database, a schema in it, and a directory for files."""

    url: str
    schema: str
    directory: Path
    options: dict[str, Any] = field(default_factory=dict)

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True)

    @property
    def config(self) -> dict[str, Any]:
        parts = conninfo.conninfo_to_dict(self.url)
        return {
            "host": parts["host"],
            "port": int(parts.get("port", 5432)),
            "database": parts["dbname"],
            "username": parts["user"],
            "password": parts.get("password", ""),
            "schema": self.schema,
            **self.options,
        }

    def query(self, text: str, *values: object) -> list[Any]:
        """Return rows; ``{}`` in the text stands for the schema."""
        with self.connect() as connection:
            query = sql.SQL(text).format(sql.Identifier(self.schema))
            return connection.execute(query, values).fetchall()

    def execute(self, text: str, *values: object) -> None:
        with self.connect() as connection:
            connection.execute(sql.SQL(text).format(sql.Identifier(self.schema)), values)

    def ids(self, table: str = "patient") -> set[str]:
        with self.connect() as connection:
            name = sql.Identifier(self.schema, table)
            found = connection.execute(sql.SQL("SELECT id FROM {}").format(name))
            return {row[0] for row in found}

    def files(self, catalog: dict[str, Any]) -> tuple[Path, Path]:
        config_file, catalog_file = self.directory / "config.json", self.directory / "catalog.json"
        config_file.write_text(json.dumps(self.config))
        catalog_file.write_text(json.dumps(catalog))
        return config_file, catalog_file

    def write(self, lines: Lines, catalog: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run ``write`` in this process, through the path that reads standard input."""
        return list(self.writing(lines, catalog))

    def writing(
        self, lines: Lines, catalog: dict[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        configured = ConfiguredAirbyteCatalogSerializer.load(catalog or make_catalog("patient"))
        destination = DestinationWarehouse()
        text = b"".join(line if line.endswith(TORN) else line + b"\n" for line in lines)
        stdin = io.TextIOWrapper(io.BytesIO(text.replace(TORN, b"")), encoding="utf-8")
        messages = destination._parse_input_stream(stdin)
        for message in destination.write(self.config, configured, messages):
            yield AirbyteMessageSerializer.dump(message)

    def start(self, catalog: dict[str, Any], stdin: Any) -> subprocess.Popen[bytes]:
        """Start ``write`` as a process."""
        config_file, catalog_file = self.files(catalog)
        command = [sys.executable, "-m", "destination_warehouse", "write"]
        command += ["--config", str(config_file), "--catalog", str(catalog_file)]
        return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE)


def make_stream(
    name: str, mode: str = "append_dedup", properties: Any = None, **keys: Any
) -> dict[str, Any]:
    shape = {"id": {"type": "string"}, "resource": {"type": "object"}}
    schema = {"type": "object", "properties": shape if properties is None else properties}
    modes = ["full_refresh", "incremental"]
    return {
        "stream": {"name": name, "json_schema": schema, "supported_sync_modes": modes},
        "sync_mode": "incremental",
        "destination_sync_mode": mode,
        **keys,
    }


def make_catalog(*streams: str | dict[str, Any]) -> dict[str, Any]:
    return {"streams": [make_stream(s) if isinstance(s, str) else s for s in streams]}


def make_record(
    key: Any, resource: Any = None, stream: str = "patient", at: int = EMITTED, **data: Any
) -> bytes:
    """Return a record; a resource given as text goes in as it is."""
    body = {"resourceType": "Patient", "id": key} if resource is None else resource
    whole = body if isinstance(body, str) else json.dumps(body)
    fields = json.dumps({"id": key, "resource_type": "Patient", **data})[:-1]
    record = f'{{"stream": "{stream}", "data": {fields}, "resource": {whole}}}'
    return f'{{"type": "RECORD", "record": {record}, "emitted_at": {at}}}}}'.encode()


def make_deletion(key: str, stream: str = "patient") -> bytes:
    return make_record(key, "null", stream, _ab_cdc_deleted_at="2026-01-02T00:00:00Z")


def make_state(value: Any, stream: str = "patient") -> bytes:
    state = {"stream_descriptor": {"name": stream}, "stream_state": {"n": value}}
    return json.dumps({"type": "STATE", "state": {"type": "STREAM", "stream": state}}).encode()


def make_status(status: str, stream: str = "patient") -> bytes:
    body = {"stream_descriptor": {"name": stream}, "status": status}
    trace = {"type": "STREAM_STATUS", "emitted_at": EMITTED, "stream_status": body}
    return json.dumps({"type": "TRACE", "trace": trace}).encode()


def make_sweep(
    ids: list[str], *, last: bool, run: str = "s", started_at: str = "2026-02-01T00:00:00Z"
) -> bytes:
    data = {"id": f"{run}/1", "resource_type": "Patient", "sweep": run, "ids": ids, "last": last}
    record = {"stream": "resource_ids", "data": {**data, "started_at": started_at}}
    return json.dumps({"type": "RECORD", "record": {**record, "emitted_at": EMITTED}}).encode()


@dataclass(frozen=True)
class Make:
    """Makes lines and catalogues."""

    record: Callable[..., bytes] = make_record
    deletion: Callable[..., bytes] = make_deletion
    state: Callable[..., bytes] = make_state
    status: Callable[..., bytes] = make_status
    sweep: Callable[..., bytes] = make_sweep
    catalog: Callable[..., dict[str, Any]] = make_catalog
    stream: Callable[..., dict[str, Any]] = make_stream
    torn: bytes = TORN


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


@pytest.fixture(scope="session")
def database_url() -> str:
    url = os.environ.get("FHIRSTACK_TEST_DATABASE")
    if not url:
        pytest.skip("FHIRSTACK_TEST_DATABASE does not name a PostgreSQL database")
    return url


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    schema = f"landing_{secrets.token_hex(6)}"
    made = Site(database_url, schema, tmp_path)
    yield made
    with made.connect() as connection:
        name = sql.Identifier(schema)
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))


def states_of(messages: list[dict[str, Any]]) -> list[Any]:
    states = [m["state"] for m in messages if m["type"] == "STATE"]
    return [state["stream"]["stream_state"]["n"] for state in states]


def loaded_of(messages: list[dict[str, Any]], stream: str = "patient") -> dict[str, int]:
    """Return the sums of what the commits say of a stream."""
    total: dict[str, int] = {}
    for message in messages:
        if message["type"] == "TRACE" and message["trace"]["type"] == "ANALYTICS":
            value = json.loads(message["trace"]["analytics"]["value"])
            if value.pop("stream") == stream:
                total = {key: total.get(key, 0) + count for key, count in value.items()}
    return total


@dataclass(frozen=True)
class Read:
    """Reads what the destination said."""

    states: Callable[..., list[Any]] = states_of
    loaded: Callable[..., dict[str, int]] = loaded_of


@pytest.fixture(scope="session")
def read() -> Read:
    return Read()


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks of the CDK's standard tests."""
    config.addinivalue_line("markers", "image_tests: builds and runs a connector's image")
    config.addinivalue_line("markers", "requires_creds: needs credentials of a service")
