"""What landed records become, from the landing tables to the marts."""

from typing import Any

import pytest
from tests.unit.analytics_dbt.conftest import cases
from tests.unit.analytics_dbt.warehouse import Warehouse

pytestmark = pytest.mark.postgresql


@pytest.mark.parametrize("case", cases("tables.yaml"), ids=lambda case: str(case["what"]))
def test_tables(built: Warehouse, case: dict[str, Any]) -> None:
    assert built.texts(case["query"]) == case["rows"]
