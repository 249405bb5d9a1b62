"""Increments end where building everything again ends, and touch nothing that is as it was."""

from typing import Any

import pytest
from tests.unit.analytics_dbt.conftest import LANDED_AT, cases
from tests.unit.analytics_dbt.warehouse import Warehouse

pytestmark = pytest.mark.postgresql

CHANGES = cases("changes.yaml")
TABLES = ("staging", "marts", "marts_anonymous")


@pytest.fixture(scope="module")
def before(warehouse: Warehouse) -> dict[str, list[str]]:
    for stream, resources in cases("records.yaml").items():
        warehouse.land(stream, resources, at=LANDED_AT)
    for row in CHANGES["at_first"]:
        warehouse.land(row["stream"], [row["resource"]], at=row["at"])
    warehouse.dbt("run")
    return warehouse.dump(TABLES)


@pytest.fixture(scope="module")
def after(warehouse: Warehouse, before: dict[str, list[str]]) -> dict[str, list[str]]:
    assert before
    for stream, resource_id in CHANGES["removed"]:
        warehouse.remove(stream, resource_id)
    for change in CHANGES["landed"]:
        warehouse.land(change["stream"], [change["resource"]], at=change["at"])
    warehouse.dbt("run")
    return warehouse.dump(TABLES)


@pytest.mark.parametrize("case", CHANGES["then"], ids=lambda case: str(case["what"]))
def test_changes_arrive(
    warehouse: Warehouse, after: dict[str, list[str]], case: dict[str, Any]
) -> None:
    assert after
    assert warehouse.texts(case["query"]) == case["rows"]


def test_nothing_new_rewrites_no_row(warehouse: Warehouse, after: dict[str, list[str]]) -> None:
    tables = ("staging.int_patients", "marts.observations", "marts.encounters", "marts.households")

    def written() -> list[list[tuple[Any, ...]]]:
        return [warehouse.rows(f"select ctid::text, xmin::text from {t} t") for t in tables]  # noqa: S608

    first = written()
    warehouse.dbt("run")
    assert written() == first
    assert warehouse.dump(TABLES) == after


def test_building_everything_again_gives_the_same(
    warehouse: Warehouse, before: dict[str, list[str]], after: dict[str, list[str]]
) -> None:
    warehouse.dbt("run", "--full-refresh")
    again = warehouse.dump(TABLES)
    assert again.keys() == after.keys()
    for table, rows in after.items():
        assert again[table] == rows, table
    # Equal is worth something only if the changes had reached the tables.
    changed = {table for table, rows in before.items() if after[table] != rows}
    assert changed >= {
        *("marts.patients", "marts.observations", "marts.encounters", "marts.households"),
        *("marts.questionnaire_answers", "marts.locations", "marts.practitioner_assignments"),
        *("marts_anonymous.patients", "marts_anonymous.service_activity"),
    }
