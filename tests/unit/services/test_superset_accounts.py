"""An account belongs to one id of Keycloak, whatever else changes hands."""

import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[3] / "analytics" / "superset"))

from fhirstack_superset import accounts

PEOPLE = yaml.safe_load("""
- what: the same e-mail, another person
  one: {sub: a, preferred_username: asha, email: asha@example.org}
  other: {sub: b, preferred_username: asha2, email: asha@example.org}
- what: the same e-mail in other letters
  one: {sub: a, preferred_username: asha, email: asha@example.org}
  other: {sub: b, preferred_username: asha, email: Asha@Example.ORG}
- what: the same user name, another person
  one: {sub: a, preferred_username: asha}
  other: {sub: b, preferred_username: asha}
- what: a user name that is another's id
  one: {sub: a, preferred_username: b}
  other: {sub: b, preferred_username: c}
- what: ids that differ in letters only
  one: {sub: "F:x:Asha"}
  other: {sub: "F:x:asha"}
""")


def account(claims):
    found = accounts.person(claims, "roles")
    return found["username"], found["email"]


@pytest.mark.parametrize("case", PEOPLE, ids=lambda case: case["what"])
def test_two_people_have_two_accounts(case):
    one, other = account(case["one"]), account(case["other"])
    assert not {*one} & {*other}
    # Not even where a column is compared without regard to upper and lower case.
    if case["one"]["sub"].lower() != case["other"]["sub"].lower():
        assert one[1].lower() != other[1].lower()


@pytest.mark.parametrize(
    "changed",
    [
        {"email": "new@example.org"},
        {"email": "ASHA@example.org"},
        {"preferred_username": "new"},
        {"given_name": "New", "family_name": "Name"},
    ],
    ids=", ".join,
)
def test_a_person_keeps_the_account(changed):
    before = {"sub": "a", "preferred_username": "asha", "email": "asha@example.org"}
    assert account(before) == account({**before, **changed})


@pytest.mark.parametrize("claims", [{}, {"sub": ""}, {"sub": " "}, {"sub": None}], ids=str)
def test_who_has_no_id_has_no_account(claims):
    with pytest.raises(ValueError, match="nobody"):
        accounts.person({**claims, "preferred_username": "asha"}, "roles")


@pytest.mark.parametrize("letters", [1, 64, 65, 128, 129, 255, 5000])
def test_everything_fits_its_column(letters):
    text = "\N{ETHIOPIC SYLLABLE HHA}" * letters
    claims = {"sub": text, "given_name": text, "family_name": text, "roles": ["A"]}
    found = accounts.person(claims, "roles")
    assert len(found["username"]) <= 128
    assert len(found["email"]) <= 320
    assert len(found["first_name"]) <= 64
    assert len(found["last_name"]) <= 64
    assert found["role_keys"] == ["A"]


def test_who_has_no_name_is_shown_by_the_user_name():
    claims = {"sub": "a", "preferred_username": "asha"}
    assert accounts.person(claims, "roles")["first_name"] == "asha"
