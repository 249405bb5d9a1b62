"""What the checks make carries their tag, so that nobody takes it for a person."""

import pytest

from fhirstack.checks import fixtures
from fhirstack.checks.session import Person
from fhirstack.secret import Secret

PEOPLE = {side: Person(side, Secret("x"), f"id-{side}") for side in ("nurse", "colleague")}
MADE = [
    *fixtures.resources(PEOPLE),
    *(entry["resource"] for entry in fixtures.household("team")["entry"]),
    fixtures.patient("any", "team"),
]


@pytest.mark.parametrize("resource", MADE, ids=lambda r: f"{r['resourceType']}/{r['id']}")
def test_every_record_of_the_checks_carries_their_tag_once(resource):
    assert resource["meta"]["tag"].count(fixtures.VERIFY_TAG) == 1


def test_the_tag_stands_beside_those_that_decide_access():
    tags = fixtures.patient("any", "team")["meta"]["tag"]
    assert [tag["code"] for tag in tags if tag["system"] == fixtures.TAG] == ["team"]
