"""What a check takes for equal is what PostgreSQL's jsonb, the second reader, writes alike."""

import copy
import json
import os
import time
from random import Random

import pytest

from fhirstack.checks import exact

from tests.postgresql.conftest import connect  # isort: skip

pytestmark = pytest.mark.postgresql

PAIRS = 3_000
VALUES = ("1", "1.0", "1.00", "10", "1e1", "1E+1", "0", "-0", "0.0", "-0.0", "0.10", "1e-2", "0.01")
VALUES += ("true", "false", "null", '"1"', '"1.0"', '"true"', '""', "[]", "{}", "[1]", "[[1]]")
VALUES += (
    str(2**70),
    "1" + "0" * 40,
    "1e40",
    "123456789.123456789",
    '"\\u00e9"',
    '"é"',
    '"e\u0301"',
)
DOCUMENT = {
    "resourceType": "Observation",
    "meta": {"tag": [{"code": "a"}, {"code": "b"}]},
    "value": {"value": "@", "unit": "kg"},
    "component": [{"value": "@"}, {"value": ["@", "@"]}],
}


def document(random):
    """Return the text of a document whose numbers are spelled as a sender may."""
    tree = copy.deepcopy(DOCUMENT)
    if random.random() < 0.2:
        tree["meta"]["tag"].reverse()
    if random.random() < 0.2:
        tree["value"] = dict(reversed(tree["value"].items()))
    if random.random() < 0.2:
        del tree[random.choice(list(tree))]
    if random.random() < 0.1:
        tree["more"] = None
    text = json.dumps(tree)
    while '"@"' in text:
        text = text.replace('"@"', random.choice(VALUES) if random.random() < 0.4 else "5", 1)
    return text


def test_the_check_and_the_server_read_documents_alike():
    seed = int(os.environ.get("FHIRSTACK_SEED", time.time_ns() % 1_000_000_000))
    random = Random(seed)  # noqa: S311
    alike = 0
    with connect() as connection:
        for index in range(PAIRS):
            one, other = document(random), document(random)
            if index % len(VALUES) == 0:
                other = one
            row = connection.execute(
                "SELECT %s::jsonb::text, %s::jsonb::text", [one, other]
            ).fetchone()
            held, second = row
            where = f"FHIRSTACK_SEED={seed}, {index}: {one} {other}"
            assert exact.first_difference(exact.read(one), exact.read(held)) == "", where
            found = exact.first_difference(exact.read(one), exact.read(other))
            assert (found == "") == (held == second), f"{where}: {found!r}"
            alike += held == second
    assert PAIRS / 100 < alike < PAIRS / 2


@pytest.mark.parametrize(
    ("store", "held", "told"),
    [
        ('{"a": 1.10}', '{"a": 1.1}', "a: 1.10 in the store, 1.1 here"),
        ('{"a": [true]}', '{"a": [1]}', "a[0]: True in the store, 1 here"),
        ('{"a": {"b": 1}}', '{"a": {"b": "1"}}', "a.b: 1 in the store, '1' here"),
        ('{"a": null}', "{}", "a: None in the store, nothing here"),
        ('{"a": 1e2}', '{"a": 100}', ""),
        ('{"a": -0}', '{"a": 0}', ""),
    ],
)
def test_the_place_that_differs_is_named(store, held, told):
    assert exact.first_difference(exact.read(store), exact.read(held)) == told
