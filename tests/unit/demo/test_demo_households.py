import json
from pathlib import Path

import pytest

from fhirstack.demo import household_bundle, teams
from fhirstack.demo.fhir import references
from fhirstack.demo.households import assignment, family, household, household_sizes
from fhirstack.demo.patients import households
from fhirstack.errors import UnreachableError


@pytest.mark.parametrize("patients", range(3, 60))
def test_households_have_three_to_six_members(patients: int):
    sizes = list(household_sizes(patients, seed=1))

    assert sum(sizes) == patients
    assert set(sizes) <= {3, 4, 5, 6}


@pytest.mark.parametrize(("patients", "sizes"), [(0, []), (1, [1]), (2, [2])])
def test_too_few_for_a_household_live_together(patients: int, sizes: list[int]):
    assert list(household_sizes(patients, seed=1)) == sizes


def test_more_patients_leave_the_first_households_as_they_are():
    fewer, more = list(household_sizes(50, seed=7)), list(household_sizes(500, seed=7))

    assert more[: len(fewer) - 2] == fewer[:-2]
    assert set(more) == {3, 4, 5, 6}


def test_households_take_turns_over_teams_and_villages():
    places = [assignment(index, teams()) for index in range(8)]

    assert [team.practitioner.name for team, _ in places[:4]] == [
        "Amina Odera",
        "Baraka Mwangi",
        "Amina Odera",
        "Baraka Mwangi",
    ]
    assert {village.name for _, village in places} == {
        "Upper Hill",
        "Lower Hill",
        "Lakeside",
        "Lakeside Island",
    }


def test_a_household_is_a_group_of_its_patients(make_patient):
    members = [make_patient(1), make_patient(2, "1950-02-03"), make_patient(3, "2020-01-01")]

    records = household(members, index=0, seed=1, teams=teams())

    assert [record["resourceType"] for record in records[:4]] == ["Patient"] * 3 + ["Group"]
    group = records[3]
    assert group["name"] == "Example2"
    assert group["type"] == "person"
    assert {coding["code"] for coding in group["code"]["coding"]} == {"35359004"}
    assert group["code"]["coding"][0]["system"] == "https://www.snomed.org"
    assert [member["entity"]["reference"] for member in group["member"]] == [
        f"Patient/{record['id']}" for record in records[:3]
    ]
    assert group["quantity"] == 3
    assert group["meta"] == records[0]["meta"]
    assert group["characteristic"][0]["code"]["text"] == "Upper Hill"


def test_a_household_has_one_team(make_patient):
    records = household([make_patient(n) for n in range(3)], index=1, seed=1, teams=teams())

    assert len({json.dumps(record["meta"]) for record in records}) == 1


def test_households_of_files_are_the_same_each_time(make_patient, tmp_path: Path):
    files = []
    for number in range(9):
        file = tmp_path / f"{number:06d}.json"
        file.write_text(json.dumps(make_patient(number)))
        files.append(file)

    first = list(households(files, 1, teams()))

    assert first == list(households(files, 1, teams()))
    patients = [
        entry["resource"]["id"]
        for bundle in first
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    ]
    assert len(set(patients)) == 9
    for bundle in first:
        for entry in bundle["entry"]:
            resource = entry["resource"]
            address = f"{resource['resourceType']}/{resource['id']}"
            assert entry["request"] == {"method": "PUT", "url": address}
            assert not any("?" in target or "urn:" in target for target in references(resource))


def test_only_the_household_asked_for_is_read(make_patient, tmp_path: Path):
    files = [tmp_path / f"{number}.json" for number in range(50)]
    for file in files[:6]:
        file.write_text(json.dumps(make_patient()))

    assert next(households(files, 1, teams()))["id"] == "household-1-0"


def test_a_broken_file_is_named(tmp_path: Path):
    file = tmp_path / "000000-x.json"
    file.write_text("{")

    with pytest.raises(UnreachableError, match=r"000000-x\.json: cannot be read"):
        list(households([file], 1, teams()))


def test_the_head_of_a_household_is_the_eldest(team):
    patients = [
        {"id": "a", "name": [{"family": "Young"}], "birthDate": "2001-01-01"},
        {"id": "b", "name": [{"family": "Old"}], "birthDate": "1960-01-01"},
    ]

    assert family("h", patients, team, team.villages[0])["name"] == "Old"


def test_a_registration_is_what_the_app_posts(team):
    bundle = household_bundle(team, team.villages[0], 1)

    types = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert types == ["Patient", "Patient", "Group", "Encounter", "QuestionnaireResponse"]
    assert bundle["type"] == "transaction"
    addresses = {entry["request"]["url"] for entry in bundle["entry"]}
    assert {entry["request"]["method"] for entry in bundle["entry"]} == {"PUT"}
    assert len(addresses) == 5
    outside = {
        target
        for entry in bundle["entry"]
        for target in references(entry["resource"])
        if target not in addresses
    }
    assert all("/demo-" in target for target in outside)
    assert all(len(entry["resource"]["meta"]["tag"]) == 6 for entry in bundle["entry"])


def test_a_registration_depends_on_team_and_seed_only(team):
    area, other = team.villages[0], teams()[1]

    assert household_bundle(team, area, 1) == household_bundle(team, area, 1)
    ids = {
        entry["resource"]["id"]
        for bundle in (
            household_bundle(team, area, 1),
            household_bundle(team, area, 2),
            household_bundle(other, other.villages[0], 1),
        )
        for entry in bundle["entry"]
    }
    assert len(ids) == 15
