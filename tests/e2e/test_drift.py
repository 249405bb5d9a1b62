"""Realm and databases changed by hand: found, named, put right; foreign things are only told."""

import json

import pytest

from fhirstack.checks import client_web, fixtures
from fhirstack.planes.iam import plan as iam
from fhirstack.planes.plane import Action
from tests.e2e.keycloak import administration, platform_of

pytestmark = pytest.mark.e2e


def planned(cli, *, apply=False):
    """Return the plan; with ``apply`` carry it out too."""
    platform = platform_of(cli)
    with platform.keycloak_admin() as admin:
        changes = iam.plan(admin, platform.environment, dict(platform.secrets))
        for change in changes if apply else []:
            change.apply()
        return changes


def client(admin, realm, name):
    (found,) = admin.get(f"/{realm}/clients", clientId=name)
    return found


CLIENTS = {
    "implicit_on": ("fhir-web", {"implicitFlowEnabled": True}),
    "redirect_added": ("fhir-web", {"redirectUris": ["*"]}),
    "service_account_on": ("fhir-web", {"serviceAccountsEnabled": True}),
    "secret_changed": ("data-pipelines", {"secret": "known-to-others"}),
    "superset_opened": ("superset", {"directAccessGrantsEnabled": True, "redirectUris": ["*"]}),
    "admin_cli_by_password": ("admin-cli", {"enabled": True, "directAccessGrantsEnabled": True}),
    "account_console_opened": (
        "account-console",
        {"redirectUris": ["*"], "implicitFlowEnabled": True},
    ),
}
"""Drifts of one client's fields: the client, and what it is changed to."""


def changed(name):
    def drift(admin, realm):
        where, fields = CLIENTS[name]
        found = client(admin, realm, where)
        admin.put(f"/{realm}/clients/{found['id']}", {**found, **fields})
        return f"clients/{where}"

    drift.__name__ = name
    return drift


def client_deleted(admin, realm):
    admin.delete(f"/{realm}/clients/{client(admin, realm, 'opensrp-android')['id']}")
    return "clients/opensrp-android"


def brute_force_off(admin, realm):
    admin.put(f"/{realm}", {"bruteForceProtected": False})
    return "realm"


def policy_weakened(admin, realm):
    admin.put(f"/{realm}", {"passwordPolicy": "length(1)"})
    return "realm"


def role_deleted(admin, realm):
    admin.delete(f"/{realm}/roles/GET_TASK")
    return "roles"


def group_lost_a_role(admin, realm):
    (group,) = admin.get(f"/{realm}/groups", search="WEB_PRACTITIONER", exact="true")
    role = admin.get(f"/{realm}/roles/GET_PATIENT")
    admin.delete(f"/{realm}/groups/{group['id']}/role-mappings/realm", [role])
    return "groups/WEB_PRACTITIONER"


def scope_mapper_changed(admin, realm):
    scopes = admin.get(f"/{realm}/client-scopes")
    (scope,) = [s for s in scopes if s["name"] == "fhir_core_app_id"]
    (mapper,) = scope["protocolMappers"]
    mapper["config"]["multivalued"] = "true"
    path = f"/{realm}/client-scopes/{scope['id']}/protocol-mappers/models/{mapper['id']}"
    admin.put(path, mapper)
    return "client-scopes/fhir_core_app_id/mappers/fhir_core_app_id"


def profile_attribute_gone(admin, realm):
    profile = admin.get(f"/{realm}/users/profile")
    kept = [a for a in profile["attributes"] if a["name"] != "fhir_core_app_id"]
    admin.put(f"/{realm}/users/profile", {**profile, "attributes": kept})
    return "user-profile"


def service_account_lost_a_role(admin, realm):
    found = client(admin, realm, "data-pipelines")
    user = admin.get(f"/{realm}/clients/{found['id']}/service-account-user")
    role = admin.get(f"/{realm}/roles/WEB_CLIENT")
    admin.delete(f"/{realm}/users/{user['id']}/role-mappings/realm", [role])
    return "clients/data-pipelines/service-account"


def scope_taken_off_a_client(admin, realm):
    found = client(admin, realm, "opensrp-android")
    scopes = {s["name"]: s["id"] for s in admin.get(f"/{realm}/client-scopes")}
    admin.delete(f"/{realm}/clients/{found['id']}/default-client-scopes/{scopes['basic']}")
    return "clients/opensrp-android/default-scopes"


def superset_learns_no_roles(admin, realm):
    found = client(admin, realm, "superset")
    path = f"/{realm}/clients/{found['id']}/protocol-mappers/models"
    for mapper in admin.get(path):
        admin.delete(f"{path}/{mapper['id']}")
    return "clients/superset/mappers/realm roles"


def device_grant_on(admin, realm):
    found = client(admin, realm, "opensrp-android")
    opened = {"oauth2.device.authorization.grant.enabled": "true"}
    attributes = {**found["attributes"], **opened}
    admin.put(f"/{realm}/clients/{found['id']}", {**found, "attributes": attributes})
    return "clients/opensrp-android"


def hardcoded_role(name="planted"):
    return {
        "name": name,
        "protocol": "openid-connect",
        "protocolMapper": "oidc-hardcoded-role-mapper",
        "config": {"role": "MANAGE_PATIENT"},
    }


def client_gives_a_role(admin, realm):
    found = client(admin, realm, "opensrp-android")
    path = f"/{realm}/clients/{found['id']}/protocol-mappers/models"
    admin.post(path, hardcoded_role())
    return "clients/opensrp-android/mappers/planted"


def scope_gives_a_role(admin, realm):
    (scope,) = [s for s in admin.get(f"/{realm}/client-scopes") if s["name"] == "profile"]
    path = f"/{realm}/client-scopes/{scope['id']}/protocol-mappers/models"
    admin.post(path, hardcoded_role())
    return "client-scopes/profile/mappers/planted"


def scope_put_on_a_client(admin, realm):
    found = client(admin, realm, "opensrp-android")
    scopes = {s["name"]: s["id"] for s in admin.get(f"/{realm}/client-scopes")}
    admin.put(f"/{realm}/clients/{found['id']}/default-client-scopes/{scopes['phone']}")
    return "clients/opensrp-android/default-scopes"


def password_not_asked_for(admin, realm):
    path = f"/{realm}/authentication/flows/direct%20grant/executions"
    (step,) = [s for s in admin.get(path) if s["displayName"] == "Password"]
    admin.put(path, {**step, "requirement": "DISABLED"})
    return "flows/direct grant/Password"


def everybody_manages_patients(admin, realm):
    role = admin.get(f"/{realm}/roles/MANAGE_PATIENT")
    admin.post(f"/{realm}/roles/default-roles-{realm}/composites", [role])
    return "default-roles"


def everybody_administers(admin, realm):
    (group,) = admin.get(f"/{realm}/groups", search="ADMINISTRATOR", exact="true")
    admin.put(f"/{realm}/default-groups/{group['id']}")
    return "default-groups/ADMINISTRATOR"


def role_holds_another(admin, realm):
    role = admin.get(f"/{realm}/roles/MANAGE_PATIENT")
    admin.post(f"/{realm}/roles/GET_PATIENT/composites", [role])
    return "roles/GET_PATIENT"


def group_given_a_role(admin, realm):
    (group,) = admin.get(f"/{realm}/groups", search="ANDROID_PRACTITIONER", exact="true")
    role = admin.get(f"/{realm}/roles/MANAGE_PATIENT")
    admin.post(f"/{realm}/groups/{group['id']}/role-mappings/realm", [role])
    return "groups/ANDROID_PRACTITIONER"


def given(admin, realm, holder, name):
    """Give a group or a user a role of Keycloak's own for its realm."""
    management = client(admin, realm, "realm-management")["id"]
    role = admin.get(f"/{realm}/clients/{management}/roles/{name}")
    admin.post(f"/{realm}/{holder}/role-mappings/clients/{management}", [role])


def group_given_the_realm(admin, realm):
    (group,) = admin.get(f"/{realm}/groups", search="ADMINISTRATOR", exact="true")
    given(admin, realm, f"groups/{group['id']}", "manage-users")
    return "groups/ADMINISTRATOR"


def service_account_given_the_realm(admin, realm):
    found = client(admin, realm, "data-pipelines")
    user = admin.get(f"/{realm}/clients/{found['id']}/service-account-user")
    given(admin, realm, f"users/{user['id']}", "realm-admin")
    return "clients/data-pipelines/service-account"


def fine_permissions_off(admin, realm):
    admin.put(f"/{realm}", {"adminPermissionsEnabled": False})
    return "realm"


def administrators_permitted_more(admin, realm):
    base = f"/{realm}/clients/{client(admin, realm, 'admin-permissions')['id']}"
    base = f"{base}/authz/resource-server"
    (policy,) = [p for p in admin.get(f"{base}/policy", max=99) if p["name"] == "administrators"]
    body = {"name": "more", "resourceType": "Users", "scopes": ["map-roles"]}
    admin.post(f"{base}/permission/scope", {**body, "policies": [policy["id"]]})
    return "admin-permissions/more"


def name_required_again(admin, realm):
    profile = admin.get(f"/{realm}/users/profile")
    for attribute in profile["attributes"]:
        if attribute["name"] == "lastName":
            attribute["required"] = {"roles": ["user"]}
    admin.put(f"/{realm}/users/profile", profile)
    return "user-profile"


DRIFTS = (
    *map(changed, CLIENTS),
    device_grant_on,
    client_gives_a_role,
    scope_gives_a_role,
    scope_put_on_a_client,
    password_not_asked_for,
    everybody_manages_patients,
    everybody_administers,
    role_holds_another,
    group_given_a_role,
    group_given_the_realm,
    service_account_given_the_realm,
    fine_permissions_off,
    administrators_permitted_more,
    name_required_again,
    superset_learns_no_roles,
    client_deleted,
    brute_force_off,
    policy_weakened,
    role_deleted,
    group_lost_a_role,
    scope_mapper_changed,
    profile_attribute_gone,
    service_account_lost_a_role,
    scope_taken_off_a_client,
)


def test_nothing_is_invented(cli):
    assert planned(cli) == []


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.__name__)
def test_a_drift_of_the_realm_is_found_and_put_right(cli, drift):
    with administration(cli) as (admin, realm):
        address = drift(admin, realm)
    found = planned(cli, apply=True)
    assert address in [change.address for change in found]
    secrets = [secret.reveal() for secret in platform_of(cli).secrets.values()]
    shown = repr([change.as_dict() for change in found])
    assert not any(secret in shown for secret in secrets)
    assert "known-to-others" not in shown
    assert planned(cli) == []


def test_what_others_made_is_told_and_kept(cli):
    with administration(cli) as (admin, realm):
        admin.post(f"/{realm}/clients", {"clientId": "by-hand"})
        admin.post(f"/{realm}/roles", {"name": "BY_HAND"})
        admin.post(f"/{realm}/groups", {"name": "by-hand"})
        try:
            found = planned(cli)
            assert {c.address for c in found} == {
                "clients/by-hand",
                "roles/BY_HAND",
                "groups/by-hand",
            }
            assert {c.action for c in found} == {Action.REPORT}
            text = cli.ok("up")
            assert "clients/by-hand" in text
            assert client(admin, realm, "by-hand")
        finally:
            admin.delete(f"/{realm}/clients/{client(admin, realm, 'by-hand')['id']}")
            admin.delete(f"/{realm}/roles/BY_HAND")
            (group,) = admin.get(f"/{realm}/groups", search="by-hand", exact="true")
            admin.delete(f"/{realm}/groups/{group['id']}")


def test_what_an_interrupted_verify_left_is_said_to_go_and_goes(cli):
    with administration(cli) as (admin, realm):
        admin.post(f"/{realm}/clients", {"clientId": fixtures.PREFIX})
        admin.post(f"/{realm}/groups", {"name": client_web.NEW_GROUP})
        found = planned(cli)
        left = {f"clients/{fixtures.PREFIX}", f"groups/{client_web.NEW_GROUP}"}
        assert {change.address for change in found} == left
        assert {change.action for change in found} == {Action.REPORT}
        assert all("interrupted `verify`" in change.reason for change in found)
        # A look changes nothing.
        assert planned(cli) == found
        assert "not made by fhirstack" not in cli.ok("up")
    assert planned(cli) == []


def test_a_role_of_others_that_a_group_of_ours_got_is_told_and_kept(cli):
    with administration(cli) as (admin, realm):
        (group,) = admin.get(f"/{realm}/groups", search="ANDROID_PRACTITIONER", exact="true")
        admin.post(f"/{realm}/roles", {"name": "of_others"})
        try:
            role = admin.get(f"/{realm}/roles/of_others")
            admin.post(f"/{realm}/groups/{group['id']}/role-mappings/realm", [role])
            found = planned(cli)
            assert {change.address for change in found} == {
                "roles/of_others",
                "groups/ANDROID_PRACTITIONER/roles/of_others",
            }
            assert {change.action for change in found} == {Action.REPORT}
        finally:
            admin.delete(f"/{realm}/roles/of_others")
    assert planned(cli) == []


@pytest.mark.parametrize(
    ("statement", "address"),
    [
        ("ALTER ROLE fhir PASSWORD 'known-to-others'", "roles/fhir"),
        ("ALTER ROLE keycloak CONNECTION LIMIT -1", "roles/keycloak"),
        ("GRANT CONNECT ON DATABASE fhir TO PUBLIC", "databases/fhir"),
        ("ALTER DATABASE keycloak OWNER TO fhir", "databases/keycloak"),
        ("ALTER ROLE superset CREATEROLE", "roles/superset"),
        ("GRANT CONNECT ON DATABASE warehouse TO fhir", "databases/warehouse"),
    ],
)
def test_a_drift_of_the_databases_is_found_and_put_right(cli, statement, address):
    platform = platform_of(cli)
    with platform.superuser() as connection:
        assert platform.database_changes(connection) == []
        connection.execute(statement)
        found = platform.database_changes(connection)
        assert [change.address for change in found] == [address]
        for change in found:
            change.apply()
        assert platform.database_changes(connection) == []


def test_plan_tells_without_changing(cli):
    assert "Nothing differs." in cli.ok("plan")
    with administration(cli) as (admin, realm):
        admin.put(f"/{realm}", {"failureFactor": 99})
    answer = cli("plan", "--format", "json")
    assert answer.code == 1
    (change,) = json.loads(answer.out)["changes"]
    assert (change["address"], change["action"]) == ("realm", "update")
    assert change["before"] == {"failureFactor": 99}
    assert cli("plan").code == 1
    (change,) = cli.converge().changes
    assert change.address == "realm"
    assert cli("plan").code == 0
