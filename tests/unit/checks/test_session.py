"""Tokens that are asked for again in time, and people who sleep between checks."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from fhirstack.checks import session as module
from fhirstack.checks.session import Person, Session
from fhirstack.errors import UnreachableError
from fhirstack.model.local import local_environment
from fhirstack.secret import Secret

NURSE = Person("nurse", Secret("x"), "id-nurse")
OTHER = Person("other", Secret("x"), "id-other")


class Admin:
    """A realm's users: which may log in."""

    def __init__(self):
        self.enabled = {"id-nurse": False, "id-other": False}
        self.writes = 0

    def get(self, path):
        name = path.rsplit("/", 1)[-1]
        return {"id": name, "enabled": self.enabled[name]} if name in self.enabled else None

    def put(self, path, body):
        self.enabled[path.rsplit("/", 1)[-1]] = body["enabled"]
        self.writes += 1


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def made(clock):
    """Return a session whose Keycloak numbers its tokens; each lives for five minutes."""
    asked = []

    def answer(request):
        asked.append(request)
        if not admin.enabled["id-nurse"] and b"grant_type=password" in request.content:
            return httpx.Response(400, json={"error_description": "Account disabled"})
        return httpx.Response(200, json={"access_token": f"token-{len(asked)}", "expires_in": 300})

    admin = Admin()
    http = httpx.Client(transport=httpx.MockTransport(answer))
    return Session(
        environment=local_environment("one", https_port=18443, http_port=18480),
        admin=admin,
        backend=http,
        http=http,
        authority=None,
        secrets={"client-pipelines": Secret("x")},
        inside={},
    )


@pytest.mark.parametrize(
    "token",
    [lambda s: s.tokens_of(NURSE)["access_token"], lambda s: s.pipeline_token()],
    ids=["password", "client credentials"],
)
@pytest.mark.parametrize(("seconds", "again"), [(0, False), (190, False), (210, True), (999, True)])
def test_a_token_is_asked_for_again_before_it_ends(made, clock, token, seconds, again):
    first = token(made)
    clock[0] += seconds
    assert (token(made) != first) is again


def test_a_person_is_awake_from_the_first_use_to_the_end_of_the_check(made):
    made.tokens_of(NURSE)
    made.wake(NURSE)
    assert made.admin.enabled == {"id-nurse": True, "id-other": False}
    assert made.admin.writes == 1
    made.wake(OTHER)
    made.rest()
    assert made.admin.enabled == {"id-nurse": False, "id-other": False}


def test_a_person_who_rested_wakes_for_a_new_token(made, clock):
    made.tokens_of(NURSE)
    made.rest()
    assert not made.admin.enabled["id-nurse"]
    clock[0] += 400
    made.tokens_of(NURSE)
    assert made.admin.enabled["id-nurse"]


def test_who_is_given_the_tokens_of_another_check_finds_their_owner_awake(made):
    other = made.of_one_check()
    first = other.tokens_of(NURSE)
    other.rest()
    again = made.of_one_check()
    assert again.tokens_of(NURSE) == first
    assert made.admin.enabled["id-nurse"]
    again.rest()
    assert not made.admin.enabled["id-nurse"]


def test_whoever_is_gone_keeps_nobody_from_resting(made):
    made.wake(NURSE)
    del made.admin.enabled["id-nurse"]
    made.rest()
    assert made.admin.writes == 1


def test_a_refusal_says_whose_it_was(made):
    made.http = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    with pytest.raises(UnreachableError, match="nurse"):
        made.tokens_of(NURSE)


def test_who_was_not_made_for_the_checks_is_left_alone(made):
    made.admin.enabled["id-nurse"] = True
    made.tokens_of(Person("amina", Secret("x"), ""))
    made.rest()
    assert made.admin.writes == 0


def test_whom_another_check_needs_stays_awake_until_that_one_ends(made):
    first, second = made.of_one_check(), made.of_one_check()
    first.wake(NURSE)
    second.wake(NURSE)
    assert made.admin.writes == 1
    first.rest()
    assert made.admin.enabled["id-nurse"]
    second.rest()
    assert not made.admin.enabled["id-nurse"]


def test_checks_at_once_ask_for_one_token(made):
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: made.of_one_check().pipeline_token(), range(8)))
    assert tokens == {"token-1"}


def test_all_rest_also_when_one_cannot_be_put_to_sleep(made):
    put = made.admin.put

    def refuses(path, body):
        if path.endswith("id-other"):
            raise UnreachableError("no")
        put(path, body)

    made.wake(NURSE)
    made.wake(OTHER)
    made.admin.put = refuses
    with pytest.raises(UnreachableError):
        made.rest()
    assert made.admin.enabled == {"id-nurse": False, "id-other": True}


def test_a_session_that_was_stopped_goes_on_with_nothing(made):
    made.go_on()
    made.stop()
    with pytest.raises(KeyboardInterrupt):
        made.of_one_check().go_on()


def test_a_request_asks_for_fhir_unless_it_says_otherwise(made):
    asked = []

    def answer(request):
        asked.append(request.headers["Accept"])
        return httpx.Response(200, json={})

    made.http = httpx.Client(transport=httpx.MockTransport(answer))
    made.fhir("GET", "Binary/x")
    made.fhir("GET", "Binary/x", headers={"Accept": "image/png"})
    assert asked == ["application/fhir+json", "image/png"]
