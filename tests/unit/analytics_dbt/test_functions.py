"""The SQL functions that read what people and devices wrote."""

import pytest
from tests.unit.analytics_dbt.conftest import cases
from tests.unit.analytics_dbt.warehouse import Warehouse

pytestmark = pytest.mark.postgresql


@pytest.mark.parametrize(("expression", "expected"), cases("functions.yaml"))
def test_unreadable_is_null_and_never_an_error(
    built: Warehouse, expression: str, expected: str | None
) -> None:
    assert built.rows(f"select (staging.{expression})::text") == [(expected,)]


def test_time_zone_of_the_session_changes_nothing(built: Warehouse) -> None:
    query = """
      select extract(epoch from staging.fhir_time('2024-05')),
        staging.fhir_date('2024-12-31T23:30:00-05:00')::text
    """
    built.execute("set timezone = 'Pacific/Kiritimati'")
    there = built.rows(query)
    built.execute("set timezone = 'UTC'")
    assert there == built.rows(query)
