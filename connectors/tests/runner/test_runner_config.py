"""The configuration file, as the services render it."""

import json
from pathlib import Path
from typing import Any

import pytest
from fhirstack_sync.config import load

DATA: dict[str, Any] = {
    "python": "/venv/bin/python",
    "source": "/config/source.json",
    "destination": "/config/destination.json",
    "streams": ["patient"],
    "warehouse": {
        "host": "127.0.0.1",
        "port": 5432,
        "database": "warehouse",
        "username": "loader",
        "password_file": "/config/password",
    },
    "transformation": {
        "python": "/dbt/bin/python",
        "project": "/project",
        "profiles": "/config",
        "target": "/data/dbt",
        "log": "/log",
        "variables": {"smallest_group": 5},
    },
    "every_minutes": 15,
    "metrics": {"host": "127.0.0.1", "port": 18490},
    "log": "/data/connectors.log",
}


def read(directory: Path, **changes: Any) -> Any:
    path = directory / "sync.json"
    path.write_text(json.dumps(DATA | changes))
    return load(path)


def test_a_file_is_read(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert found.streams == ("patient",)
    assert found.warehouse.password_file == Path("/config/password")
    assert found.transformation.target == Path("/data/dbt")
    assert found.transformation.log == Path("/log")
    assert found.transformation.variables == {"smallest_group": 5}
    assert (found.metrics_host, found.metrics_port) == ("127.0.0.1", 18490)


def test_a_connection_may_do_without_a_transformation(tmp_path: Path) -> None:
    assert read(tmp_path, transformation=None).transformation is None


@pytest.mark.parametrize("name", sorted(DATA.keys() - {"transformation"}))
def test_what_is_missing_is_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / "sync.json"
    path.write_text(json.dumps({key: value for key, value in DATA.items() if key != name}))
    with pytest.raises(KeyError, match=name):
        load(path)


def test_a_warehouse_with_a_key_that_is_not_known_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="passwort"):
        read(tmp_path, warehouse={**DATA["warehouse"], "passwort": "x"})
