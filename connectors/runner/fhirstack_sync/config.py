"""The runner's configuration: one JSON file, rendered with the services'."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SWEEP = "resource_ids"
"""The stream by which source-fhir tells all ids of a type: what is in none of them is deleted."""


@dataclass(frozen=True)
class Warehouse:
    """Where the warehouse is; ``password_file`` holds the loader's password."""

    host: str
    port: int
    database: str
    username: str
    password_file: Path


@dataclass(frozen=True)
class Transformation:
    """How dbt is called: its Python, project, profiles, and where it may write and log."""

    python: Path
    project: Path
    profiles: Path
    target: Path
    log: Path
    variables: Mapping[str, Any]


@dataclass(frozen=True)
class Config:
    """One connection: a source, a destination, a transformation, and how often."""

    python: Path
    source: Path
    destination: Path
    streams: tuple[str, ...]
    warehouse: Warehouse
    transformation: Transformation | None
    every_minutes: int
    metrics_host: str
    metrics_port: int
    log: Path


def load(path: Path) -> Config:
    """Read the file. Raises KeyError, TypeError or ValueError for one that does not fit."""
    data = json.loads(path.read_text(encoding="utf-8"))
    warehouse = {**data["warehouse"], "password_file": Path(data["warehouse"]["password_file"])}
    transformation = None
    if (found := data.get("transformation")) is not None:
        paths = {
            key: Path(found[key]) for key in ("python", "project", "profiles", "target", "log")
        }
        transformation = Transformation(**paths, variables=found["variables"])
    return Config(
        python=Path(data["python"]),
        source=Path(data["source"]),
        destination=Path(data["destination"]),
        streams=tuple(data["streams"]),
        warehouse=Warehouse(**warehouse),
        transformation=transformation,
        every_minutes=int(data["every_minutes"]),
        metrics_host=data["metrics"]["host"],
        metrics_port=int(data["metrics"]["port"]),
        log=Path(data["log"]),
    )
