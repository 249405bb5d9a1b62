"""Who guesses passwords is held; who shares an address with a guesser is not."""

import contextlib
import http.server
from urllib.parse import parse_qs, urlencode

import pytest
from tests.unit.services.edge_harness import echo, running

REALM = "/auth/realms/opensrp"
TOKEN = f"{REALM}/protocol/openid-connect/token"
PAGE = f"{REALM}/login-actions/authenticate?session_code=a"
PER_USER, PER_ADDRESS = 5, 40


class LogIns(http.server.BaseHTTPRequestHandler):
    """Answers log-ins with the statuses of Keycloak 26.7: `right` is everybody's password."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(data).items()}
        guess = "password" in form or form.get("grant_type") not in ("refresh_token", "code")
        right = form.get("password") == "right" or not guess
        page = "login-actions" in self.path
        status = (302 if right else 200) if page else (200 if right else 401)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def keycloak(tmp_path):
    with contextlib.ExitStack() as stack:
        settings = {"failed_logins_per_user": PER_USER, "failed_logins_per_address": PER_ADDRESS}
        backends = {"keycloak": echo(stack, "keycloak", LogIns)}
        yield stack.enter_context(running(tmp_path, ("keycloak",), backends, settings=settings))


def ask(edge, form, path=TOKEN, source=""):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    body = form if isinstance(form, str) else urlencode(form)
    return edge.ask("keycloak", path, method="POST", headers=kind, body=body, source=source)


def password(user, word="wrong"):
    return {"grant_type": "password", "client_id": "app", "username": user, "password": word}


REFRESH = {"grant_type": "refresh_token", "client_id": "app", "refresh_token": "a.b.c"}


def test_who_guesses_one_users_password_is_held_and_nobody_else(keycloak):
    seen = [ask(keycloak, password("amina"))[0] for _ in range(PER_USER + 3)]
    assert seen == [401] * PER_USER + [429] * 3
    status, _, headers, text = ask(keycloak, password("amina", "right"))
    assert (status, headers["content-type"]) == (429, "text/plain; charset=utf-8")
    assert headers["retry-after"]
    assert headers["strict-transport-security"]
    assert "later" in text
    assert ask(keycloak, password("baraka", "right"))[0] == 200
    assert ask(keycloak, REFRESH)[0] == 200
    # A guesser elsewhere does not shut amina out.
    assert ask(keycloak, password("amina", "right"), source="127.0.0.2")[0] == 200


@pytest.mark.parametrize(
    ("path", "form"),
    [
        (f"{TOKEN}/", password("amina")),
        (TOKEN.replace("token", "t%6Fken"), password("amina")),
        (TOKEN, password("AMINA")),
        (TOKEN, "password=wrong&username=%61mina&grant_type=password"),
        (TOKEN, "username=amina&grant_type=password&password=x&username=baraka"),
        (f"{TOKEN}?grant_type=refresh_token", password("amina")),
    ],
)
def test_another_spelling_is_the_same_guess(keycloak, path, form):
    seen = [ask(keycloak, form, path)[0] for _ in range(PER_USER + 1)]
    assert seen == [401] * PER_USER + [429]
    assert ask(keycloak, password("amina"))[0] == 429


def test_a_carriers_phones_go_on_beside_a_guesser_of_many_users(keycloak):
    for number in range(PER_ADDRESS):
        assert ask(keycloak, password(f"user{number}"))[0] == 401
    assert ask(keycloak, password("another"))[0] == 429
    # Sessions go on, and log-ins by the page's code; other addresses are not meant.
    assert ask(keycloak, REFRESH)[0] == 200
    assert ask(keycloak, {"grant_type": "authorization_code", "code": "a"})[0] != 429
    assert ask(keycloak, password("another", "right"), source="127.0.0.2")[0] == 200


def test_right_log_ins_are_never_counted(keycloak):
    seen = {ask(keycloak, password("amina", "right"))[0] for _ in range(PER_ADDRESS + 10)}
    assert seen == {200}
    assert {ask(keycloak, REFRESH)[0] for _ in range(PER_ADDRESS + 10)} == {200}


def test_the_log_in_page_is_held_alike(keycloak):
    form = {"username": "amina", "password": "wrong", "credentialId": ""}
    seen = [ask(keycloak, form, PAGE)[0] for _ in range(PER_USER + 1)]
    assert seen == [200] * PER_USER + [429]
    right = form | {"username": "baraka", "password": "right"}
    assert {ask(keycloak, right, PAGE)[0] for _ in range(PER_USER + 1)} == {302}
    # One count for both ways in.
    assert ask(keycloak, password("amina"))[0] == 429
