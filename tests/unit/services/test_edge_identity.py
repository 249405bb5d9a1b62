"""What the edge says for Keycloak, and what of its administration is open."""

import contextlib
import json

import pytest
from tests.unit.services.edge_harness import Echo, echo, running

TOKEN = "/auth/realms/opensrp/protocol/openid-connect/token"
WRONG = ("invalid_grant", "Invalid user credentials")


class Answers(Echo):
    """Answers a log-in as Keycloak 26.7 does: 400, and the reason that its user name asks for."""

    def answer(self):
        form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        error, _, description = self.headers.get("X-Test", "").partition(":")
        data = json.dumps({"error": error, "error_description": description, "form": form})
        self.send_response(400 if error else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data.encode())

    do_GET = do_POST = do_PUT = answer  # noqa: N815


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        backends = {"keycloak": echo(stack, "keycloak", Answers)}
        root = tmp_path_factory.mktemp("identity")
        yield stack.enter_context(running(root, ("keycloak",), backends))


def asked(edge, form, error, description):
    sent = {"Content-Type": "application/x-www-form-urlencoded", "X-Test": f"{error}:{description}"}
    status, _, headers, text = edge.ask("keycloak", TOKEN, method="POST", headers=sent, body=form)
    assert json.loads(text)["form"] == form
    return status, headers.get("www-authenticate")


@pytest.mark.parametrize(
    ("form", "answer", "status"),
    [
        ("grant_type=password&client_id=opensrp-android&username=a&password=b", WRONG, 401),
        ("client_id=opensrp-android&username=c&password=b&grant_type=password", WRONG, 401),
        ("grant_type=pass%77ord&client_id=opensrp-android&username=d", WRONG, 401),
        # What is no wrong password stays what Keycloak calls it.
        ("grant_type=password&username=e", ("invalid_grant", "Account disabled"), 400),
        ("grant_type=password", ("invalid_request", "Missing parameter: username"), 400),
        ("grant_type=refresh_token&refresh_token=x", ("invalid_grant", "Token is not active"), 400),
        ("grant_type=refresh_token&refresh_token=x", WRONG, 400),
        ("grant_type=authorization_code&code=x", ("invalid_grant", "Code not valid"), 400),
    ],
)
def test_a_wrong_password_is_401_and_nothing_else_is(edge, form, answer, status):
    challenge = 'Bearer realm="opensrp"' if status == 401 else None
    assert asked(edge, form, *answer) == (status, challenge)


def test_a_right_password_is_left_alone(edge):
    assert asked(edge, "grant_type=password&username=f&password=b", "", "") == (200, None)


ADMIN = "/auth/admin/realms/opensrp"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/users?max=1", 200),
        ("/users/x/reset-password", 200),
        ("/users/count", 200),
        ("/groups", 200),
        ("/groups/x/members", 200),
        ("/roles", 200),
        ("", 404),
        ("/", 404),
        ("/logout-all", 404),
        ("/attack-detection/brute-force/users", 404),
        ("/clients", 404),
        ("/client-scopes", 404),
        ("/authentication/flows", 404),
        ("/components", 404),
        ("/partialImport", 404),
        ("/usersx", 404),
        ("/Users", 404),
        ("/users/../logout-all", 400),
        ("/users/%2e%2e/logout-all", 400),
        ("/users;/../logout-all", 400),
    ],
)
def test_of_the_administration_only_users_groups_and_roles_are_open(edge, path, status):
    seen, _, _, _ = edge.ask("keycloak", ADMIN + path)
    assert seen == status
