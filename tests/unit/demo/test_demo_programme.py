import base64
import json
import re
from typing import Any

import pytest

from fhirstack import demo
from fhirstack.demo.application import declared
from fhirstack.demo.fhir import address_of, references
from fhirstack.demo.places import lineage
from fhirstack.errors import UsageError

KEYCLOAK_IDS = {user.username: f"kc-{user.username}" for user in demo.users("my-app")}


@pytest.fixture
def programme() -> dict[str, dict[str, Any]]:
    return {address_of(resource): resource for resource in demo.programme("my-app", KEYCLOAK_IDS)}


def of_type(programme: dict[str, dict[str, Any]], resource_type: str) -> list[dict[str, Any]]:
    return [r for r in programme.values() if r["resourceType"] == resource_type]


def test_ids_are_fixed_valid_and_unique(programme):
    resources = demo.programme("my-app", KEYCLOAK_IDS)

    assert len(programme) == len(resources)
    assert all(re.fullmatch(r"demo-[a-z-]{1,59}", resource["id"]) for resource in resources)
    assert resources == demo.programme("my-app", KEYCLOAK_IDS)


def test_every_reference_is_in_the_programme_and_comes_first(programme):
    seen: set[str] = set()
    for address, resource in programme.items():
        assert set(references(resource)) <= seen
        seen.add(address)


def test_an_official_identifier_is_the_id(programme):
    for resource in programme.values():
        official = [
            identifier["value"]
            for identifier in resource.get("identifier", [])
            if isinstance(identifier, dict) and identifier["use"] == "official"
        ]
        configuration = {"Binary", "Parameters", "Questionnaire", "Composition"}
        if resource["resourceType"] not in configuration | {"ImplementationGuide"}:
            assert official == [resource["id"]]


def test_the_gateway_finds_the_sync_strategy(programme):
    composition = programme["Composition/demo-composition"]
    assert composition["identifier"]["value"] == "my-app"
    section = next(
        section
        for section in composition["section"]
        if section.get("focus", {}).get("identifier", {}).get("value") == "application"
    )
    config = json.loads(base64.b64decode(programme[section["focus"]["reference"]]["data"]))

    assert config["appId"] == "my-app"
    assert config["configType"] == "application"
    assert config["syncStrategy"] == ["CareTeam"]


def test_the_sync_strategy_can_be_another():
    resources = demo.programme("my-app", KEYCLOAK_IDS, sync_strategy="Location")
    binary = next(r for r in resources if r["id"] == "demo-binary-application")

    assert json.loads(base64.b64decode(binary["data"]))["syncStrategy"] == ["Location"]


def test_fhir_web_lists_the_application(programme):
    composition = programme["Composition/demo-composition"]

    assert composition["type"]["coding"][0]["code"] == "11503-0"
    assert composition["type"]["coding"][0]["system"] == "http://loinc.org"
    assert composition["category"][0]["coding"][0]["code"] == "1156600005"


def test_every_binary_is_in_the_composition_and_is_a_configuration(programme):
    listed = {t for t in references(programme["Composition/demo-composition"]) if "Binary" in t}

    assert listed == {address_of(binary) for binary in of_type(programme, "Binary")}
    for binary in of_type(programme, "Binary"):
        assert "configType" in json.loads(base64.b64decode(binary["data"]))


def test_the_declared_application_is_public_and_nothing_else(programme):
    application = declared("my-app")

    assert application.id == "my-app"
    public = {f"Composition/{name}" for name in application.public_compositions}
    public |= {f"Binary/{name}" for name in application.public_binaries}
    public |= {f"Parameters/{name}" for name in application.public_parameters}
    kinds = ("Composition", "Binary", "Parameters")
    assert public == {address for address in programme if address.startswith(kinds)}
    assert len(public) == 7


def sections(resource):
    for section in resource.get("section", ()):
        yield section
        yield from sections(section)


def test_the_composition_names_all_of_the_configuration(programme):
    named = set(references(programme["Composition/demo-composition"]["section"]))
    kinds = ("Binary", "Parameters", "Questionnaire")
    assert named == {address for address in programme if address.startswith(kinds)}


def test_only_a_binary_is_a_configuration_by_its_name(programme):
    """The app reads a focus with an identifier as a Binary's, of a Parameters too."""
    for section in sections(programme["Composition/demo-composition"]):
        focus = section.get("focus", {})
        if focus.get("reference", "").startswith("Parameters/"):
            assert set(focus) == {"reference"}


def test_the_guide_names_the_application_for_every_version_of_the_app(programme):
    guide = programme["ImplementationGuide/demo-guide"]
    assert guide["name"] == "my-app"
    (context,) = guide["useContext"]
    assert context["valueRange"] == {"low": {"value": 1}}
    # Without a version: of one the app asks for what it cannot read.
    assert list(references(guide)) == ["Composition/demo-composition"]


@pytest.mark.parametrize("user", demo.users(), ids=lambda user: user.username)
def test_every_user_is_one_practitioner_with_group_and_role(programme, user):
    keycloak_id = KEYCLOAK_IDS[user.username]
    having = {
        resource["resourceType"]
        for resource in programme.values()
        for identifier in resource.get("identifier", [])
        if isinstance(identifier, dict) and identifier["value"] == keycloak_id
    }
    assert having == {"Practitioner", "Group", "PractitionerRole"}

    practitioner = programme[f"Practitioner/{user.practitioner.id}"]
    secondary = practitioner["identifier"][1]
    assert secondary["use"] == "secondary"
    assert secondary["type"]["coding"][0]["system"] == "http://hl7.org/fhir/identifier-type"
    assert secondary["type"]["coding"][0]["code"] == "KUID"
    role = programme[f"PractitionerRole/demo-role-{user.username}"]
    supervises = user.duty is demo.Duty.SUPERVISOR
    code = "236321002" if supervises else "405623001"
    assert role["code"][0]["coding"][0]["code"] == code


def test_a_user_is_of_android_or_of_the_web_and_never_both():
    for user in demo.users():
        clients = {demo.ANDROID_PRACTITIONER, demo.WEB_PRACTITIONER} & set(user.groups)
        assert len(clients) == 1


def test_users_carry_the_application():
    assert {user.app_id for user in demo.users("other")} == {"other"}


def test_a_user_without_a_keycloak_id_is_an_error():
    with pytest.raises(UsageError, match="baraka, daudi"):
        demo.programme("my-app", {"amina": "1", "chiku": "2", "daudi": ""})


def test_android_users_are_in_a_care_team_whose_organization_has_a_location(programme):
    for user in demo.users():
        if demo.ANDROID_PRACTITIONER not in user.groups:
            continue
        member = {"member": user.practitioner.reference}
        care_teams = [t for t in of_type(programme, "CareTeam") if member in t["participant"]]
        assert care_teams
        for care_team in care_teams:
            organization = care_team["managingOrganization"][0]["reference"]
            affiliations = [
                a
                for a in of_type(programme, "OrganizationAffiliation")
                if a["organization"]["reference"] == organization
            ]
            assert all(affiliation["location"] for affiliation in affiliations)
            assert affiliations


def test_the_two_health_workers_share_no_team_and_no_village():
    first, second = demo.teams()

    assert first.practitioner != second.practitioner
    assert first.care_team != second.care_team
    assert not set(first.villages) & set(second.villages)


def test_locations_are_a_tree_of_uneven_depth_with_levels_and_lineage(programme):
    locations = of_type(programme, "Location")
    roots = [location for location in locations if "partOf" not in location]
    assert [root["id"] for root in roots] == [demo.ROOT_LOCATION_ID]

    parents = {
        f"Location/{location['id']}": location["partOf"]["reference"]
        for location in locations
        if "partOf" in location
    }
    leaves = [address for address in parents if address not in parents.values()]
    depths = set()
    for location in locations:
        depth, above = 0, f"Location/{location['id']}"
        while above in parents:
            depth, above = depth + 1, parents[above]
        coding = location["type"][0]["coding"][0]
        assert coding["code"] == str(depth)
        assert coding["display"] == f"Level {depth}"
        assert len(location.get("meta", {}).get("tag", [])) == depth
        if f"Location/{location['id']}" in leaves:
            depths.add(depth)
    assert len(depths) > 1


def test_lineage_begins_with_the_country():
    assert lineage("lakeside-island") == ["kalanda", "north", "lake", "lakeside"]
