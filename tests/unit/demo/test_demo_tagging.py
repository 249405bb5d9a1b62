import copy

from fhirstack.demo import Team
from fhirstack.demo.fhir import references
from fhirstack.demo.tagging import APP_VERSION, human_readable_id, opensrp_resources


def test_keeps_only_what_the_programme_has_roles_for(make_patient, team: Team):
    types = [r["resourceType"] for r in opensrp_resources(make_patient(), team, team.villages[0])]

    assert types == [
        "Patient",
        "Encounter",
        "Condition",
        "Observation",
        "CarePlan",
        "MedicationRequest",
    ]


def test_every_record_has_the_six_tags_and_nothing_else_in_meta(make_patient, team: Team):
    village = team.villages[1]

    for resource in opensrp_resources(make_patient(), team, village):
        assert resource["meta"] == {
            "tag": [
                {
                    "system": f"https://smartregister.org/{system}",
                    "code": code,
                    "display": display,
                }
                for system, code, display in (
                    ("app-version", APP_VERSION, "Application Version"),
                    ("care-team-tag-id", "demo-care-team-hill", "Practitioner CareTeam"),
                    ("practitioner-tag-id", "demo-practitioner-amina", "Practitioner"),
                    ("location-tag-id", "demo-location-hill", "Practitioner Location"),
                    (
                        "organisation-tag-id",
                        "demo-organization-hill",
                        "Practitioner Organization",
                    ),
                    (
                        "related-entity-location-tag-id",
                        "demo-location-lower-hill",
                        "Related Entity Location",
                    ),
                )
            ]
        }


def test_no_reference_leads_out_of_the_record_and_the_programme(make_patient, team: Team):
    records = opensrp_resources(make_patient(), team, team.villages[0])
    known = {f"{r['resourceType']}/{r['id']}" for r in records} | {
        "Practitioner/demo-practitioner-amina",
        "Organization/demo-organization-hill",
        "Location/demo-location-upper-hill",
    }

    assert {target for record in records for target in references(record)} == known - {
        f"{r['resourceType']}/{r['id']}"
        for r in records
        if r["resourceType"] in {"Observation", "CarePlan", "MedicationRequest"}
    }


def test_conditional_references_become_the_programmes_own(make_patient, team: Team):
    records = opensrp_resources(make_patient(), team, team.villages[0])
    encounter = next(r for r in records if r["resourceType"] == "Encounter")

    assert encounter["participant"] == [
        {
            "individual": {
                "reference": "Practitioner/demo-practitioner-amina",
                "display": "Amina Odera",
            }
        }
    ]
    assert encounter["location"] == [
        {"location": {"reference": "Location/demo-location-upper-hill", "display": "Upper Hill"}}
    ]
    assert encounter["serviceProvider"]["reference"] == "Organization/demo-organization-hill"


def test_references_to_what_was_dropped_go_with_what_they_leave_empty(make_patient, team: Team):
    records = {
        r["resourceType"]: r for r in opensrp_resources(make_patient(), team, team.villages[0])
    }

    assert "careTeam" not in records["CarePlan"]
    assert "device" not in records["Observation"]
    assert len(records["MedicationRequest"]["reasonReference"]) == 1
    location = records["CarePlan"]["activity"][0]["detail"]["location"]
    assert location["reference"] == "Location/demo-location-upper-hill"


def test_a_patient_is_one_of_the_programme(make_patient, team: Team):
    patient = opensrp_resources(make_patient(), team, team.villages[0])[0]

    assert patient["active"] is True
    assert patient["identifier"] == [
        {"use": "official", "value": patient["id"]},
        {"use": "secondary", "value": human_readable_id(patient["id"])},
    ]
    assert patient["address"][0]["city"] == "Upper Hill"
    assert patient["managingOrganization"]["reference"] == "Organization/demo-organization-hill"
    assert "extension" not in patient
    assert "text" not in patient
    assert patient["name"][0]["family"] == "Example1"


def test_same_input_gives_the_same_records_and_is_left_as_it_was(make_patient, team: Team):
    bundle = make_patient()
    before = copy.deepcopy(bundle)

    first = opensrp_resources(bundle, team, team.villages[0])

    assert bundle == before
    assert opensrp_resources(bundle, team, team.villages[0]) == first


def test_a_human_readable_id_has_nine_digits():
    numbers = {human_readable_id(str(number)) for number in range(500)}

    assert len(numbers) == 500
    assert all(len(number) == 9 and number.isdigit() for number in numbers)
