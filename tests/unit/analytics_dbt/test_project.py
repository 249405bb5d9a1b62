"""Every model says what it is and is tested; every column that leaves the project is described."""

from functools import cache
from typing import Any

import pytest
import yaml
from tests.unit.analytics_dbt.warehouse import PROJECT, STREAMS, Warehouse


@cache
def _documents() -> list[dict[str, Any]]:
    files = sorted((PROJECT / "models").rglob("*.yml"))
    return [yaml.safe_load(file.read_text()) for file in files]


def _described() -> dict[str, dict[str, Any]]:
    return {model["name"]: model for each in _documents() for model in each.get("models", [])}


def _models() -> list[str]:
    return sorted(file.stem for file in (PROJECT / "models").rglob("*.sql"))


@pytest.mark.parametrize("model", _models())
def test_a_model_is_described_and_tested(model: str) -> None:
    entry = _described().get(model, {})
    assert entry.get("description"), "no description"
    tests = [*entry.get("data_tests", [])]
    tests += [test for column in entry.get("columns", []) for test in column.get("data_tests", [])]
    tests += [
        test
        for document in _documents()
        for test in document.get("unit_tests", [])
        if test["model"] == model
    ]
    assert tests, "no test"
    for column in entry.get("columns", []):
        assert column.get("description"), f"{column['name']}: no description"


def test_nothing_is_described_that_is_not_there() -> None:
    assert sorted(_described()) == _models()


def test_every_stream_is_a_source_and_has_a_staging_model() -> None:
    sources = {
        table["name"]
        for document in _documents()
        for source in document.get("sources", [])
        if source["name"] == "airbyte"
        for table in source["tables"]
    }
    assert sources == {*STREAMS, "rejected_records"}
    assert {model for model in _models() if model.startswith("stg_")} == {
        f"stg_{stream}" for stream in STREAMS
    }


@pytest.mark.postgresql
def test_every_column_that_leaves_is_described(built: Warehouse) -> None:
    tables: dict[tuple[str, str], list[str]] = {}
    for schema, table, column in built.rows(
        "select table_schema, table_name, column_name from information_schema.columns"
        " where table_schema in ('marts', 'marts_anonymous') order by ordinal_position"
    ):
        tables.setdefault((schema, table), []).append(column)
    described = _described()
    for (schema, table), columns in tables.items():
        anonymous = schema == "marts_anonymous" and f"anonymous_{table}" in described
        entry = described[f"anonymous_{table}" if anonymous else table]
        assert [column["name"] for column in entry["columns"]] == columns, table
    # What is described can be read in the database as well.
    ((comment,),) = built.rows("select obj_description('marts.patients'::regclass)")
    assert comment == described["patients"]["description"]
