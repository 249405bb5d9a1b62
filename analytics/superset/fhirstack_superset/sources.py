"""What the repository declares: assets as files, and the digest of each."""

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from fhirstack_superset.settings import Settings

KINDS = ("database", "dataset", "chart", "dashboard")
"""In the order in which they refer to each other."""

ASSETS = Path(__file__).resolve().parent.parent / "assets"


@dataclass(frozen=True)
class Asset:
    """One file. ``digest`` changes when anything that is imported for it changes."""

    kind: str
    uuid: str
    title: str
    digest: str
    data: dict[str, Any]


def superset_version() -> str:
    """Return Superset's version, without the seconds that importing it takes."""
    return version("apache-superset")


def program_digest() -> str:
    """Return a digest of this program: other code may import the same file differently."""
    digest = hashlib.sha256(superset_version().encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read(settings: Settings, directory: Path = ASSETS) -> list[Asset]:
    """Read every asset, with its connection filled in. Raises ValueError for a broken set."""
    assets = []
    for kind in KINDS:
        for path in sorted((directory / f"{kind}s").rglob("*.yaml")):
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
            if kind == "database":
                data["sqlalchemy_uri"] = settings.connections[data["uuid"]].uri
            if kind == "dataset":
                data["catalog"] = settings.connections[data["database_uuid"]].database
            assets.append(Asset(kind, data["uuid"], _title(kind, data), _digest(data), data))
    uuids = [asset.uuid for asset in assets]
    if len(set(uuids)) != len(uuids):
        raise ValueError("two assets have the same uuid")
    return assets


def _title(kind: str, data: dict[str, Any]) -> str:
    keys = {"database": "database_name", "dataset": "table_name", "chart": "slice_name"}
    return str(data[keys.get(kind, "dashboard_title")])


def _digest(data: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()
