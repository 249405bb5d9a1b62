import httpx
import pytest

from fhirstack.errors import UnreachableError
from fhirstack.patience import LONGEST, Patience, again, wait_for
from fhirstack.planes.iam.admin import KeycloakAdmin
from fhirstack.secret import Secret


class Clock:
    """A clock that goes on by being waited for."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def pause(self, seconds):
        self.now += seconds


# What is seen at each second, and how long a wait of 10 s goes on for something never ready.
SIGNS = [
    ("nothing moves", lambda second: 0, 10, "nothing of it has moved for 10 s"),
    ("it moves at first", lambda second: min(second, 7), 17, "nothing of it has moved"),
    ("it moves now and then", lambda second: second // 9 if second < 40 else 4, 46, "nothing of"),
    ("it moves for ever", lambda second: second, 10 * LONGEST, "it still moves"),
]


@pytest.mark.parametrize(("name", "sign", "seconds", "why"), SIGNS, ids=[row[0] for row in SIGNS])
def test_a_wait_goes_on_while_something_moves(name, sign, seconds, why):
    clock = Clock()
    ended = wait_for(
        lambda: False,
        lambda: sign(int(clock.now)),
        Patience(10, clock),
        pause_seconds=1,
        pause=clock.pause,
    )
    assert ended.startswith(why)
    assert seconds <= clock.now <= seconds + 1


def test_what_gets_ready_late_but_moving_is_waited_for():
    clock = Clock()
    arrived = wait_for(
        lambda: clock.now >= 35,
        lambda: int(clock.now / 8),
        Patience(10, clock),
        pause_seconds=1,
        pause=clock.pause,
    )
    assert arrived == ""


def test_errors_that_may_pass_are_tried_again_with_growing_pauses():
    clock, pauses, left = Clock(), [], [TimeoutError("1"), TimeoutError("2"), TimeoutError("3")]

    def call():
        if left:
            raise left.pop()
        return "done"

    def pause(seconds):
        pauses.append(seconds)
        clock.pause(seconds)

    options = {"seconds": 60, "pause": pause, "clock": clock}
    assert again(call, (TimeoutError,), **options) == "done"
    assert pauses == [0.5, 1.0, 2.0]


def test_the_last_error_is_told_and_others_are_told_at_once():
    clock, calls = Clock(), []

    def call(error):
        calls.append(error)
        raise error

    options = {"seconds": 20, "pause": clock.pause, "clock": clock}
    with pytest.raises(TimeoutError):
        again(lambda: call(TimeoutError()), (TimeoutError,), **options)
    assert clock.now <= 20
    assert len(calls) > 3
    calls.clear()
    with pytest.raises(ValueError, match="at once"):
        again(lambda: call(ValueError("at once")), (TimeoutError,), **options)
    assert len(calls) == 1


def admin_of(answers, monkeypatch):
    """Return an admin client whose Keycloak answers so, one after the other, and what it got."""
    got = []

    def answer(request):
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 60})
        got.append(request.method)
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr("time.sleep", lambda seconds: None)
    admin = KeycloakAdmin(
        "http://keycloak", "cli", Secret("s"), transport=httpx.MockTransport(answer)
    )
    return admin, got


SLOW, CUT = httpx.ReadTimeout("timed out"), httpx.RemoteProtocolError("cut")


@pytest.mark.parametrize(
    ("method", "arguments"), [("get", ("/r",)), ("put", ("/r", {})), ("delete", ("/r",))]
)
def test_a_slow_keycloak_is_asked_again_where_asking_twice_does_no_harm(
    method, arguments, monkeypatch
):
    answers = [SLOW, CUT, SLOW, httpx.Response(200, json={"id": "1"})]
    admin, got = admin_of(answers, monkeypatch)
    getattr(admin, method)(*arguments)
    assert got == [method.upper()] * 4


def test_what_would_be_made_twice_is_asked_for_once_and_called_slow(monkeypatch):
    admin, got = admin_of([SLOW], monkeypatch)
    with pytest.raises(UnreachableError, match="slow"):
        admin.post("/r", {})
    assert got == ["POST"]


def test_a_dead_keycloak_is_called_dead_at_once(monkeypatch):
    admin, got = admin_of([httpx.ConnectError("refused")], monkeypatch)
    with pytest.raises(UnreachableError, match="does not answer"):
        admin.get("/r")
    assert got == ["GET"]
