"""Runs the connector by its command line, in this process, and sorts what it says."""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from source_fhir import SourceFhir
from source_fhir.entrypoint import Output, execute
from source_fhir.names import RESOURCE_IDS, type_of

FAST = {"backoff_seconds": 0.01, "max_backoff_seconds": 0.05, "timeout_seconds": 10}


@dataclass
class Result:
    """The lines of a run as they were, and its error."""

    lines: list[bytes]
    error: AirbyteTracedException | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.messages = [json.loads(line) for line in self.lines]

    def of(self, kind: str) -> list[dict[str, Any]]:
        name = {"CONNECTION_STATUS": "connectionStatus"}.get(kind, kind.lower())
        return [x[name] for x in self.messages if x["type"] == kind]

    def records(self, stream: str = "patient") -> list[dict[str, Any]]:
        return [x["data"] for x in self.of("RECORD") if x["stream"] == stream]

    def ids(self, stream: str = "patient") -> list[str]:
        return [x["id"] for x in self.records(stream)]

    def line(self, id: str) -> bytes:
        found = [x for x in self.lines if b'"id":"' + id.encode() + b'"' in x and b'"RECORD"' in x]
        assert len(found) == 1
        return found[0]

    @property
    def state(self) -> list[dict[str, Any]]:
        """The last state of each stream, as given to the next run."""
        last = {x["stream"]["stream_descriptor"]["name"]: x for x in self.of("STATE")}
        return list(last.values())

    def cursors(self, stream: str = "patient") -> list[str | None]:
        return [
            x["stream"]["stream_state"].get("cursor")
            for x in self.of("STATE")
            if x["stream"]["stream_descriptor"]["name"] == stream
        ]

    def statuses(self, stream: str) -> list[str]:
        told = [x["stream_status"] for x in self.of("TRACE") if x["type"] == "STREAM_STATUS"]
        return [x["status"] for x in told if x["stream_descriptor"]["name"] == stream]

    def errors(self) -> list[dict[str, Any]]:
        return [x["error"] for x in self.of("TRACE") if x["type"] == "ERROR"]

    def rejected(self) -> list[dict[str, Any]]:
        return self.told("rejected")

    def told(self, what: str) -> list[dict[str, Any]]:
        told = [x["analytics"] for x in self.of("TRACE") if x["type"] == "ANALYTICS"]
        assert all(x["type"] in ("source-fhir:rejected", "source-fhir:total") for x in told)
        return [json.loads(x["value"]) for x in told if x["type"] == f"source-fhir:{what}"]

    def estimates(self) -> dict[str, int]:
        told = [x["estimate"] for x in self.of("TRACE") if x["type"] == "ESTIMATE"]
        return {x["name"]: x["row_estimate"] for x in told}

    @property
    def log(self) -> str:
        return "\n".join(f"{x['level']} {x['message']}" for x in self.of("LOG"))


class Connector:
    """The connector with its files in one directory."""

    def __init__(self, directory: Path, config: dict[str, Any]) -> None:
        self.directory = directory
        self.config = FAST | config

    def catalog(self, *streams: str, mode: str = "incremental") -> dict[str, Any]:
        return {
            "streams": [
                {
                    "stream": {
                        "name": name,
                        "json_schema": {},
                        "supported_sync_modes": ["full_refresh", "incremental"],
                    },
                    "sync_mode": mode,
                    "destination_sync_mode": "append_dedup",
                }
                for name in streams
            ]
        }

    def _file(self, name: str, content: Any) -> str:
        path = self.directory / name
        path.write_text(json.dumps(content))
        return str(path)

    def arguments(self, command: str, streams: tuple[str, ...], state: Any, mode: str) -> list[str]:
        found = [command, "--config", self._file("config.json", self.config)]
        if command == "read":
            found += ["--catalog", self._file("catalog.json", self.catalog(*streams, mode=mode))]
            if state:
                found += ["--state", self._file("state.json", state)]
        return found

    def run(
        self,
        command: str = "read",
        *streams: str,
        state: Any = None,
        mode: str = "incremental",
        **config: Any,
    ) -> Result:
        self.config |= config
        written = io.BytesIO()
        error = None
        if command == "read" and "resource_types" not in self.config:
            types = [type_of(x) for x in streams or ("patient",) if x != RESOURCE_IDS]
            self.config["resource_types"] = [x for x in types if x]
        try:
            arguments = self.arguments(command, streams or ("patient",), state, mode)
            execute(SourceFhir(), arguments, Output(written))
        except AirbyteTracedException as caught:
            error = caught
        if command == "read":
            self.config.pop("resource_types", None)
        return Result(written.getvalue().splitlines(), error)

    def read(self, *streams: str, state: Any = None, **more: Any) -> Result:
        """Read, which must succeed."""
        result = self.run("read", *streams, state=state, **more)
        assert result.error is None, (result.error, result.errors())
        return result
