"""The declared realm: the page's clients, OpenSRP's traps, least privilege."""

import json
from pathlib import Path

import pytest

from fhirstack.errors import UsageError
from fhirstack.model.local import local_environment
from fhirstack.model.records import (
    ASSIGNMENT,
    CONFIGURATION,
    POWERFUL,
    SHARED,
    WEB_WRITTEN,
    WRITABLE,
    WRITTEN,
)
from fhirstack.model.site import Kind, SupersetClient
from fhirstack.planes.iam import realm, roles
from fhirstack.planes.iam.plan import refuse_implicit_in_production
from fhirstack.secret import Secret

ENVIRONMENT = local_environment("one", https_port=18443, http_port=18480)
SECRETS = {name: Secret(name) for name in ("client-web", "client-pipelines", "client-superset")}
CLIENTS = {c.id: c for c in realm.clients(ENVIRONMENT, SECRETS, roles.pipeline_roles())}
ANDROID, MANAGEMENT = roles.ANDROID_GROUP, "realm-management"
FLOWS = (
    "publicClient",
    "standardFlowEnabled",
    "implicitFlowEnabled",
    "directAccessGrantsEnabled",
    "serviceAccountsEnabled",
)


@pytest.mark.parametrize(
    ("client", "flows"),
    [
        ("opensrp-android", (True, False, False, True, False)),
        ("fhir-web", (False, True, False, False, False)),
        ("data-pipelines", (False, False, False, False, True)),
        ("superset", (False, True, False, False, False)),
    ],
)
def test_the_clients_are_as_the_page_says(client, flows):
    assert tuple(CLIENTS[client].fields[flow] for flow in FLOWS) == flows
    assert (CLIENTS[client].secret is None) == flows[0]


def test_supersets_tokens_carry_no_role_and_its_id_is_the_sites():
    assert not {"roles", realm.CLAIM} & set(CLIENTS["superset"].scopes)
    clients = ENVIRONMENT.realm.clients
    named = clients.model_copy(update={"superset": SupersetClient(id="boards")})
    environment = ENVIRONMENT.model_copy(
        update={"realm": ENVIRONMENT.realm.model_copy(update={"clients": named})}
    )
    found = realm.clients(environment, SECRETS, ())[-1]
    assert (found.id, found.fields["clientId"]) == ("boards", "boards")


def test_redirects_are_exact():
    assert CLIENTS["fhir-web"].fields["redirectUris"] == [
        "https://web.one.localhost:18443/oauth/callback/OpenSRP/"
    ]
    assert CLIENTS["opensrp-android"].fields["redirectUris"] == []


def test_the_pipelines_client_passes_the_gateway_and_only_reads():
    client = CLIENTS["data-pipelines"]
    assert client.mappers["fhir_core_app_id"]["config"]["claim.value"] == "opensrp"
    assert client.service_roles is not None
    assert "WEB_CLIENT" in client.service_roles
    assert all(role == "WEB_CLIENT" or role.startswith("GET_") for role in client.service_roles)


def test_users_never_edit_the_application_that_they_belong_to():
    (attribute,) = [a for a in realm.user_profile_attributes() if a["name"] == realm.CLAIM]
    assert attribute["permissions"]["edit"] == ["admin"]
    assert attribute["multivalued"] is False


def test_the_claim_is_one_string_and_in_userinfo():
    config = realm.app_scope_mapper()["config"]
    assert config["jsonType.label"] == "String"
    assert config["multivalued"] == "false"
    assert config["userinfo.token.claim"] == "true"


def test_every_role_of_a_group_is_in_the_catalogue():
    known = roles.catalogue()
    for group in roles.groups(WRITABLE, WEB_WRITTEN):
        assert set(group.realm_roles) <= known.keys()
    assert set(roles.pipeline_roles()) <= known.keys()


def test_no_group_gives_both_client_roles():
    for group in roles.groups(WRITABLE, WEB_WRITTEN):
        assert not {roles.ANDROID_CLIENT, roles.WEB_CLIENT} <= set(group.realm_roles)


def test_health_workers_cannot_write_who_works_where():
    (group,) = [g for g in roles.groups(WRITABLE, WEB_WRITTEN) if g.name == roles.ANDROID_GROUP]
    # Of places the gateway lets them write those with an own tag, below an own place (SharedTypes).
    for kind in {*ASSIGNMENT, *CONFIGURATION, *POWERFUL} - {"Location"}:
        for method in ("POST", "PUT", "DELETE", "PATCH", "MANAGE"):
            assert roles.role(method, kind) not in group.realm_roles


def written_by(group_name, written, web_written):
    (group,) = [g for g in roles.groups(written, web_written) if g.name == group_name]
    return {name for name in group.realm_roles if name.split("_")[0] in ("PUT", "MANAGE")}


def test_administrators_write_what_the_pages_of_fhir_web_write():
    written = written_by(roles.ADMINISTRATOR_GROUP, WRITTEN, WEB_WRITTEN)
    assert {"PUT_QUESTIONNAIRERESPONSE", "PUT_FLAG", "PUT_ENCOUNTER", "PUT_OBSERVATION"} <= written
    # No more than that of people's records, and none where the site says so.
    assert not {"PUT_PATIENT", "MANAGE_PATIENT", "MANAGE_OBSERVATION"} & written
    assert not {n for n in written_by(roles.ADMINISTRATOR_GROUP, WRITTEN, ()) if n[:4] == "PUT_"}
    assert not written_by(roles.WEB_GROUP, WRITTEN, WEB_WRITTEN)


def test_a_site_may_let_health_workers_make_places():
    assert "PUT_LOCATION" not in written_by(roles.ANDROID_GROUP, WRITTEN, WEB_WRITTEN)
    chosen = written_by(roles.ANDROID_GROUP, (*WRITTEN, "Location"), WEB_WRITTEN)
    assert "PUT_LOCATION" in chosen
    assert "PUT_ORGANIZATION" not in chosen
    moved = written_by(roles.TRANSFER_GROUP, (*WRITTEN, "Location"), WEB_WRITTEN)
    assert "PUT_PATIENT" in moved
    assert "PUT_LOCATION" not in moved


def test_sessions_outlive_days_without_a_network():
    settings = realm.realm_settings(ENVIRONMENT)
    assert settings["accessTokenLifespan"] <= 900
    idle = min(settings["ssoSessionIdleTimeout"], settings["clientSessionIdleTimeout"])
    assert idle >= 7 * 86400
    assert not settings["revokeRefreshToken"]


def production(**flows):
    declared = ENVIRONMENT.realm
    web = declared.clients.web.model_copy(update=flows)
    clients = declared.clients.model_copy(update={"web": web})
    return ENVIRONMENT.model_copy(
        update={
            "kind": Kind.PRODUCTION,
            "realm": declared.model_copy(update={"clients": clients}),
        }
    )


def test_implicit_flow_in_production_is_an_error_at_plan():
    refuse_implicit_in_production(production())
    with pytest.raises(UsageError, match="implicit"):
        refuse_implicit_in_production(production(implicit_flow=True))


def ignored_by_the_filter():
    repository = Path(__file__).resolve().parents[3]
    resources = repository / "java/fhir-gateway/src/main/resources"
    return json.loads((resources / "sync-filter-ignored.json").read_text())["entries"]


def test_health_workers_write_no_type_that_the_sync_filter_leaves_out():
    ignored = ignored_by_the_filter()
    (group,) = [g for g in roles.groups(WRITABLE, WEB_WRITTEN) if g.name == roles.ANDROID_GROUP]
    writing = {
        name
        for name in group.realm_roles
        if name.split("_")[0] in ("POST", "PUT", "DELETE", "PATCH", "MANAGE")
    }
    assert writing
    # What is left out without a method is left out of reading: a place that is written needs a tag.
    assert {"path": "Location"} in ignored
    left_out = {entry["path"] for entry in ignored if not entry.get("untagged")} - {"Location"}
    assert not {n for n in writing for name in left_out if n.endswith("_" + name.upper())}


def test_what_both_write_is_filtered_by_its_tags():
    entries = {entry["path"]: entry for entry in ignored_by_the_filter()}
    for name in SHARED:
        assert entries[name] == {"path": name, "methodType": "GET", "untagged": True}
    assert {name for name, entry in entries.items() if entry.get("untagged")} == set(SHARED)


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_the_app_may_write_what_it_and_its_forms_make(kind, method):
    (group,) = [g for g in roles.groups(ENVIRONMENT.application.writes) if g.name == ANDROID]
    assert roles.role(method, kind) in group.realm_roles


def test_a_site_chooses_what_health_workers_write():
    (group,) = [g for g in roles.groups(("Patient", "Schedule")) if g.name == ANDROID]
    writing = {name for name in group.realm_roles if not name.startswith("GET_")}
    kinds = {name.partition("_")[2] for name in writing} - {"CLIENT"}
    assert kinds == {"PATIENT", "SCHEDULE"}
    # What the app reads does not shrink with it.
    assert {"GET_OBSERVATION", "GET_SCHEDULE", "GET_LIST"} <= set(group.realm_roles)


def test_administrators_hold_no_role_of_keycloaks_that_goes_round_the_permissions():
    held = [name for g in roles.groups(WRITTEN) for name in g.client_roles.get(MANAGEMENT, ())]
    assert sorted(held) == ["query-groups", "query-users"]


def test_administrators_choose_the_members_of_no_group_that_administers():
    for group in roles.groups(WRITTEN):
        assert bool(group.client_roles) == (group.name not in roles.MEMBER_GROUPS)


GRANTS = ("implicitFlowEnabled", "directAccessGrantsEnabled", "serviceAccountsEnabled")


def test_the_page_s_grants_and_no_others():
    having = {
        grant: [name for name, client in CLIENTS.items() if client.fields[grant]]
        for grant in GRANTS
    }
    assert having == {
        "implicitFlowEnabled": [],
        "directAccessGrantsEnabled": ["opensrp-android"],
        "serviceAccountsEnabled": ["data-pipelines"],
    }
    off = [name for name, client in CLIENTS.items() if not client.fields.get("enabled", True)]
    assert off == ["admin-cli", "security-admin-console"]


@pytest.mark.parametrize("name", ["email", "firstName", "lastName"])
def test_nobody_needs_an_address_or_a_last_name(name):
    (attribute,) = [a for a in realm.user_profile_attributes() if a["name"] == name]
    assert attribute["required"] is None


def test_user_names_are_of_any_script():
    (attribute,) = [a for a in realm.user_profile_attributes() if a["name"] == "username"]
    assert attribute["validations"]["up-username-not-idn-homograph"] is None
    assert attribute["validations"]["pattern"]["pattern"] == realm.ONE_SCRIPT


def test_health_workers_delete_what_the_app_deletes_and_nothing_else():
    (android, *_) = roles.groups(WRITTEN)
    deleted = {name for name in android.realm_roles if name.startswith(("DELETE_", "MANAGE_"))}
    assert deleted == {"DELETE_MEASUREREPORT", "DELETE_RELATEDPERSON"}
    (few, *_) = roles.groups(("Patient", "RelatedPerson"))
    assert [n for n in few.realm_roles if n.startswith("DELETE_")] == ["DELETE_RELATEDPERSON"]


@pytest.mark.parametrize("written", [WRITTEN, ("Patient",), ("Patient", "Schedule")])
def test_who_moves_records_writes_what_health_workers_write_and_nobody_else_does(written):
    web = {roles.WEB_GROUP, roles.SUPERVISOR_GROUP, roles.VIEWER_GROUP, roles.ANALYST_GROUP}
    held = {group.name: set(group.realm_roles) for group in roles.groups(written)}
    assert held[roles.TRANSFER_GROUP] == {roles.role("PUT", kind) for kind in written}
    for name in web:
        assert not {r for r in held[name] if r.startswith(("PUT_", "PATCH_", "MANAGE_", "DELETE_"))}
    moving = {roles.role(m, "Patient") for m in ("PUT", "PATCH", "MANAGE", "DELETE")}
    assert not held[roles.ADMINISTRATOR_GROUP] & moving
