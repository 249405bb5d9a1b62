"""What an administrator of users may not do to another one, by whatever road Keycloak has."""

import secrets

import pytest

from fhirstack.checks.fixtures import PREFIX, cast
from fhirstack.planes.iam.roles import ADMINISTRATOR_GROUP, TRANSFER_GROUP, WEB_GROUP
from fhirstack.planes.iam.users import User, delete_user, ensure_user
from fhirstack.secret import Secret
from tests.e2e.keycloak import session

pytestmark = pytest.mark.e2e

OTHER, MADE = f"{PREFIX}-another", f"{PREFIX}-made-by-one"


@pytest.fixture(scope="module")
def scene(cli):
    """Return a session, an administrator's way to the admin API, and another administrator."""
    with session(cli) as opened, cast(opened):
        environment = opened.environment
        realm, person = environment.realm.name, opened.people.administrator
        user = User(OTHER, "An", "Other", "", "none", (WEB_GROUP, ADMINISTRATOR_GROUP))
        token = opened.tokens_of(opened.wake(person))["access_token"]
        base = f"{environment.keycloak_url}/admin/realms/{realm}"

        def ask(method, path, body=None):
            headers = {"Authorization": f"Bearer {token}"}
            return opened.http.request(method, f"{base}{path}", json=body, headers=headers)

        try:
            password = Secret(secrets.token_urlsafe(24))
            yield opened, ask, ensure_user(opened.admin, realm, user, password)
        finally:
            for name in (OTHER, MADE):
                delete_user(opened.admin, realm, name)


def group(opened, name):
    realm = opened.environment.realm.name
    (found,) = opened.admin.get(f"/{realm}/groups", search=name, exact="true")
    return found["id"]


PASSWORD = {"type": "password", "value": "Another-password-1", "temporary": False}
ROADS = [
    ("PUT", "/users/{other}/reset-password", PASSWORD),
    ("PUT", "/users/{other}", {"enabled": False}),
    ("PUT", "/users/{other}", {"email": "taken@example.org"}),
    ("DELETE", "/users/{other}", None),
    ("POST", "/users/{other}/logout", None),
    ("PUT", "/users/{other}/execute-actions-email", ["UPDATE_PASSWORD"]),
    ("POST", "/users/{other}/impersonation", None),
    ("POST", "/users/{other}/federated-identity/x", {"userId": "x", "userName": "x"}),
    ("DELETE", "/users/{other}/groups/{web}", None),
    ("PUT", "/users/{other}/groups/{transfer}", {}),
    ("PUT", "/users/{self}/groups/{transfer}", {}),
    ("PUT", "/users/{nurse}/groups/{administrators}", {}),
    ("PUT", "/groups/{web}", {"name": "renamed"}),
    ("POST", "/groups/{web}/children", {"name": "below"}),
    ("PUT", "/users/profile", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), ROADS)
def test_another_administrator_is_not_an_administrators_to_change(scene, method, path, body):
    opened, ask, other = scene
    people = opened.people
    ids = {"other": other, "self": people.administrator.user_id, "nurse": people.nurse.user_id}
    ids |= {"web": group(opened, WEB_GROUP), "transfer": group(opened, TRANSFER_GROUP)}
    ids |= {"administrators": group(opened, ADMINISTRATOR_GROUP)}
    answer = ask(method, path.format(**ids), body)
    assert answer.status_code == 403, f"{answer.status_code} {answer.text[:200]}"


@pytest.mark.parametrize(
    ("groups", "status"),
    [
        ((WEB_GROUP,), 201),
        ((ADMINISTRATOR_GROUP,), 403),
        ((WEB_GROUP, ADMINISTRATOR_GROUP), 403),
    ],
)
def test_a_user_is_made_into_no_group_that_administers(scene, groups, status):
    opened, ask, _ = scene
    realm = opened.environment.realm.name
    made = {"username": MADE, "enabled": False, "groups": [f"/{name}" for name in groups]}
    made["realmRoles"], made["clientRoles"] = (
        ["MANAGE_PATIENT"],
        {"realm-management": ["realm-admin"]},
    )
    try:
        answer = ask("POST", "/users", made)
        assert answer.status_code == status, f"{answer.status_code} {answer.text[:200]}"
        found = opened.admin.get(f"/{realm}/users", username=MADE, exact="true")
        assert len(found) == (1 if status == 201 else 0)
        for user in found:
            held = opened.admin.get(f"/{realm}/users/{user['id']}/role-mappings")
            names = {role["name"] for role in held.get("realmMappings", [])}
            assert names <= {f"default-roles-{realm}"}
            assert not held.get("clientMappings")
    finally:
        delete_user(opened.admin, realm, MADE)


def test_no_password_is_in_what_keycloak_keeps_of_administrators_acts(scene):
    """Admin events hold what was sent: it is read by whoever administers the realm."""
    opened, ask, _ = scene
    realm = opened.environment.realm.name
    password = secrets.token_urlsafe(24)
    credential = {"type": "password", "value": password, "temporary": False}
    try:
        made = {"username": MADE, "enabled": False, "credentials": [credential]}
        assert ask("POST", "/users", made).status_code == 201
        (user,) = opened.admin.get(f"/{realm}/users", username=MADE, exact="true")
        reset = ask("PUT", f"/users/{user['id']}/reset-password", credential | {"value": password})
        assert reset.status_code in (204, 400), reset.text
        events = opened.admin.get(f"/{realm}/admin-events", max=50)
        assert any(user["id"] in event.get("resourcePath", "") for event in events)
        assert password not in repr(events)
    finally:
        delete_user(opened.admin, realm, MADE)
