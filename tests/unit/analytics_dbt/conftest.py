"""The warehouse that tests of the dbt project share, module by module."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.analytics_dbt.warehouse import Warehouse, new_warehouse

CASES = Path(__file__).parent / "cases"
LANDED_AT = "2026-03-01T00:00:00Z"


def cases(name: str) -> Any:
    """Return the content of a file of cases."""
    return yaml.safe_load((CASES / name).read_text())


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """An empty warehouse for one module."""
    with _new(tmp_path_factory) as empty:
        yield empty


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A warehouse with the records of the cases, built with all of dbt's own tests. To read."""
    with _new(tmp_path_factory) as full:
        for stream, resources in cases("records.yaml").items():
            full.land(stream, resources, at=LANDED_AT)
        full.execute(
            "insert into airbyte.rejected_records"
            " values ('patient', 'x', 'no id', '', now(), now())"
        )
        full.execute(
            "insert into sync.runs (id, started_at, status, resources, bytes, seconds)"
            " values (1, '2026-03-01', 'succeeded', 9, 7, 2.5)"
        )
        full.dbt("build")
        yield full


def _new(tmp_path_factory: pytest.TempPathFactory) -> AbstractContextManager[Warehouse]:
    """Return a warehouse, or skip the test without a dbt and a database to start from."""
    settings = {
        name: os.environ.get(name, "") for name in ("FHIRSTACK_TEST_DBT", "FHIRSTACK_TEST_DATABASE")
    }
    missing = [name for name, value in settings.items() if not value]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not set: scripts/test sets them")
    return new_warehouse(
        settings["FHIRSTACK_TEST_DATABASE"],
        dbt=settings["FHIRSTACK_TEST_DBT"],
        directory=tmp_path_factory.mktemp("dbt"),
    )
