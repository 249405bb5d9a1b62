"""A runner with the real connectors, from a FHIR server of the tests to a real warehouse."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from fhirstack_sync import sync
from fhirstack_sync.config import Config, load
from fhirstack_sync.store import Outcome, Store, connect
from psycopg import conninfo, sql
from source_fhir.names import stream_of
from source_fhir_server import Server

FAST = {"backoff_seconds": 0.01, "max_backoff_seconds": 0.05, "timeout_seconds": 10}
TYPES = ("Patient", "Observation", "Group")


@dataclass
class Pair:
    """Both ends, and the runner's configuration between them."""

    server: Server
    database: str
    directory: Path
    types: tuple[str, ...] = TYPES
    source: dict[str, Any] = field(default_factory=dict)
    destination: dict[str, Any] = field(default_factory=dict)
    transformation: dict[str, Any] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """Write the configuration as the services render it; return its path."""
        parts = conninfo.conninfo_to_dict(self.database)
        place = {
            "host": parts["host"],
            "port": int(parts["port"]),
            "database": parts["dbname"],
            "username": parts["user"],
        }
        reading = {
            "base_url": self.server.base,
            "page_size": 50,
            "totals": True,
            "resource_types": list(self.types),
            **FAST,
            **self.source,
        }
        writing = {
            **place,
            "password": parts["password"],
            "sslmode": "disable",
            "schema": "airbyte",
            **self.destination,
        }
        self._write("source.json", json.dumps(reading))
        self._write("destination.json", json.dumps(writing))
        self._write("password", f"{parts['password']}\n")
        runner = {
            "python": sys.executable,
            "source": str(self.directory / "source.json"),
            "destination": str(self.directory / "destination.json"),
            "streams": [stream_of(kind) for kind in self.types],
            "warehouse": {**place, "password_file": str(self.directory / "password")},
            "transformation": self.transformation,
            "every_minutes": 15,
            "metrics": {"host": "127.0.0.1", "port": 0},
            "log": str(self.directory / "connectors.log"),
        }
        return self._write("sync.json", json.dumps(runner))

    def _write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    @property
    def config(self) -> Config:
        return load(self.file)

    def run(
        self, *, full: bool = False, each: Callable[[Mapping[str, Any]], None] | None = None
    ) -> Outcome:
        """Run once. ``each`` is told every event as it comes."""
        self.events = []

        def emit(event: Mapping[str, Any]) -> None:
            self.events.append(dict(event))
            if each:
                each(event)

        return sync.run(self.config, emit, full=full, wait_seconds=5)

    def ok(self, **options: Any) -> Outcome:
        outcome = self.run(**options)
        assert (outcome.status, outcome.error) == ("ok", None)
        return outcome

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind]

    def store(self) -> Store:
        """Return the runner's records, over a connection that the caller closes."""
        return Store(connect(self.config.warehouse))

    def query(self, text: str, *values: object) -> list[Any]:
        with psycopg.connect(self.database, autocommit=True) as connection:
            return connection.execute(text.encode(), values).fetchall()

    def rows(self, kind: str) -> dict[str, Any]:
        """Return what the warehouse holds of a type, numbers as they are written."""
        table = sql.Identifier("airbyte", stream_of(kind))
        with psycopg.connect(self.database, autocommit=True) as connection:
            select = sql.SQL("SELECT id, resource::text FROM {}").format(table)
            return {id: exact(text) for id, text in connection.execute(select)}

    def held(self, kind: str) -> dict[str, Any]:
        """Return what the server holds of a type."""
        found = self.server.state.resources.get(kind, {})
        return {id: exact(stored.text) for id, stored in found.items()}

    def assert_equal(self) -> None:
        """The warehouse holds what the server holds, in every field."""
        for kind in self.types:
            assert self.rows(kind) == self.held(kind), kind

    def runs(self) -> list[tuple[str, bool, int, int, int]]:
        """Return status, full, resources, deleted and rejected of each run that began."""
        return self.query(
            "SELECT status, full_refresh, resources, deleted, rejected FROM sync.runs ORDER BY id"
        )


def exact(text: str) -> dict[str, Any]:
    """Read JSON so that 1.10 is not 1.1."""
    found: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return found


def children(package: str) -> list[int]:
    """Return our own children that run this package."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(path.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
            words = path.joinpath("cmdline").read_bytes().split(b"\0")
        except (OSError, IndexError):
            continue
        if parent == os.getpid() and package.encode() in words:
            found.append(int(path.name))
    return found
