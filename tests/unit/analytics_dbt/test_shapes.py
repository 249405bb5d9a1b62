"""No content of a landed record ends a run: what is odd is null or shortened, all are kept."""

import copy
import os
import random
import string
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.analytics_dbt.conftest import LANDED_AT, cases
from tests.unit.analytics_dbt.warehouse import Warehouse

pytestmark = pytest.mark.postgresql

SITE_ZONE = "Africa/Nairobi"
SEED = int(os.environ.get("FHIRSTACK_SEED", random.SystemRandom().randrange(1 << 32)))
MUTATED = 400
ODD: tuple[Any, ...] = ("", "odd / text", -1e30, True, None, [], {}, [["odd"]], {"odd": [None]})
KEPT = {
    "patient": "staging.int_patients",
    "encounter": "marts.encounters",
    "location": "marts.locations",
    "condition": "marts.conditions",
    "immunization": "marts.immunizations",
    "task": "marts.tasks",
    "questionnaire_response": "marts.questionnaire_responses",
    "practitioner": "marts.practitioners",
    # Components come on top of the observations.
    "observation": "marts.observations where component_number = 0",
}


def _letters(count: int, chooser: random.Random, letters: str = string.ascii_letters) -> str:
    """Return text that cannot be compressed: an index entry takes as many bytes as it has."""
    return "".join(chooser.choices(letters, k=count))


def _signs(count: int, chooser: random.Random) -> str:
    return _letters(count, chooser, "".join(map(chr, range(0x1F300, 0x1F5FF))))


def _spelled(value: Any, chooser: random.Random) -> Any:
    """Return a case's value with its long texts spelled out."""
    match value:
        case {"letters": count}:
            return _letters(count, chooser)
        case {"signs": count}:
            return _signs(count, chooser)
        case dict():
            return {key: _spelled(one, chooser) for key, one in value.items()}
        case list():
            return [_spelled(one, chooser) for one in value]
    return value


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


def _put(resource: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    parent: Any = resource
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value


def _odd_ones(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for number, path in enumerate(_places(resource)):
        for kind, odd in enumerate(ODD):
            changed = copy.deepcopy(resource)
            _put(changed, path, odd)
            changed["id"] = f"{resource['id']}-{number}-{kind}"
            yield changed


def _extreme(chooser: random.Random) -> Any:
    """Return a value at or beyond the edge of what some type holds."""
    deep: Any = "deep"
    for _ in range(150):
        deep = [{"item": deep}]
    return chooser.choice(
        (
            _letters(chooser.choice((499, 500, 501, 2704, 9000, 40000)), chooser),
            _signs(chooser.choice((500, 501, 676, 3000)), chooser),
            *("0000", "0000-00-00", "0001-01-01T00:00:00+14:00", "-4713-01-01", "294277-01-01"),
            *("9999-12-31T24:00:00Z", "9999-12-31T23:59:60Z", "9999-12-31T23:59:59-14:00"),
            *("2026-02-30", "2026-01-01T10:00", "infinity", "now", "epoch", "NaN", "-Infinity"),
            *("1e400", "1e131072", "1" * 200, "1" * 201, "-" + "9" * 150000, 10**400, -(10**1000)),
            *(1e-300, 2**31, 2**63, -(2**63) - 1, True, None, [], {}, [[]], [None] * 300, deep),
            *(
                "\u202e\u0301\ufeff",
                "\ud7ff\ue000\uffff",
                "'; drop table x; --",
                "%s {{ 1 }} \\",
                "$$",
            ),
            *("Patient/", "Patient/" + "a" * 65, "/" * 9000, "Patient/_history/", "#", "urn:uuid:"),
            [{"answer": [{"valueString": str(one)} for one in range(500)]}],
            [{"item": deep, "linkId": "a"}],
        )
    )


def _mutated(chooser: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    known = [(s, r) for s, resources in cases("records.yaml").items() for r in resources]
    for number in range(MUTATED):
        stream, resource = chooser.choice(known)
        changed = copy.deepcopy(resource)
        for _ in range(chooser.randint(1, 3)):
            if places := list(_places(changed)):
                _put(changed, chooser.choice(places), _extreme(chooser))
        changed["id"] = f"mutated-{number}"
        yield stream, changed


@pytest.fixture(scope="module")
def landed(warehouse: Warehouse) -> dict[str, int]:
    """How many records of each stream are landed; the tables are made of all of them."""
    counts: dict[str, int] = {}
    chooser = random.Random(SEED)  # noqa: S311 - what is tried is no secret
    unusual = _spelled(cases("unusual.yaml")["landed"], chooser)
    records = [(stream, one) for stream, those in unusual.items() for one in those]
    for stream, resources in cases("records.yaml").items():
        records += [(stream, one) for resource in resources for one in _odd_ones(resource)]
    records += _mutated(chooser)
    by_stream: dict[str, list[dict[str, Any]]] = {}
    for stream, resource in records:
        by_stream.setdefault(stream, []).append(resource)
    for stream, those in by_stream.items():
        warehouse.land(stream, those, at=LANDED_AT)
        counts[stream] = len(those)
    # With the tests of the data: none may fail for what one record holds.
    options = ("--exclude-resource-type", "unit_test", "--vars", f"time_zone: {SITE_ZONE}")
    warehouse.dbt("build", *options)
    return counts


@pytest.mark.parametrize("stream", KEPT)
def test_every_record_is_kept(warehouse: Warehouse, landed: dict[str, int], stream: str) -> None:
    query = f"select count(*) from {KEPT[stream]}"  # noqa: S608
    assert warehouse.rows(query) == [(landed[stream],)], f"seed {SEED}"


@pytest.mark.parametrize("case", cases("unusual.yaml")["then"], ids=lambda case: str(case["what"]))
def test_the_rule_holds(warehouse: Warehouse, landed: dict[str, int], case: dict[str, Any]) -> None:
    assert landed
    assert warehouse.texts(case["query"]) == case["rows"], f"seed {SEED}"


def test_every_time_can_be_read(warehouse: Warehouse, landed: dict[str, int]) -> None:
    """Python's times end with the year 9999, as do those of most programs that read the tables."""
    assert landed
    found = warehouse.rows(
        "select table_schema || '.' || table_name, column_name from information_schema.columns"
        " where table_schema in ('marts', 'marts_anonymous')"
        " and data_type in ('date', 'timestamp with time zone')"
    )
    assert len(found) > 30
    for table, column in found:
        warehouse.rows(f"select {column} from {table}")  # noqa: S608
