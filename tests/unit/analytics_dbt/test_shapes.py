"""No shape of JSON in a landed record ends a run: what is odd is null, and the record is kept."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.analytics_dbt.conftest import LANDED_AT, cases
from tests.unit.analytics_dbt.warehouse import Warehouse

pytestmark = pytest.mark.postgresql

ODD: tuple[Any, ...] = ("", "odd / text", -1e30, True, None, [], {}, [["odd"]], {"odd": [None]})
KEPT = {
    "patient": "patients",
    "encounter": "encounters",
    "location": "locations",
    "condition": "conditions",
    "immunization": "immunizations",
    "task": "tasks",
    "questionnaire_response": "questionnaire_responses",
    "practitioner": "practitioners",
}


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to everything in a resource but its id and type."""
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for key, child in children:
        if path or key not in ("id", "resourceType"):
            yield (*path, key)
            yield from _places(child, (*path, key))


def _odd_ones(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for number, path in enumerate(_places(resource)):
        for kind, odd in enumerate(ODD):
            changed = copy.deepcopy(resource)
            parent: Any = changed
            for key in path[:-1]:
                parent = parent[key]
            parent[path[-1]] = odd
            changed["id"] = f"{resource['id']}-{number}-{kind}"
            yield changed


def test_no_shape_ends_a_run(warehouse: Warehouse) -> None:
    landed: dict[str, int] = {}
    for stream, resources in cases("records.yaml").items():
        odd = [one for resource in resources for one in _odd_ones(resource)]
        warehouse.land(stream, odd, at=LANDED_AT)
        landed[stream] = len(odd)
    warehouse.dbt("run")
    for stream, table in KEPT.items():
        assert warehouse.rows(f"select count(*) from marts.{table}") == [(landed[stream],)]  # noqa: S608
    # Components come on top of the observations.
    query = "select count(*) from marts.observations where component_number = 0"
    assert warehouse.rows(query) == [(landed["observation"],)]
