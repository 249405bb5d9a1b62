"""Slow bodies: the check tells a service that goes on from one that waits until they end."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from fhirstack.checks import edge
from fhirstack.checks.check import FailedError
from fhirstack.checks.session import Session
from fhirstack.model.local import local_environment


class Connection:
    """One of HTTP/2 of which some unfinished bodies were answered."""

    def __init__(self, given_up, statuses):
        self.given_up, self.statuses = given_up, statuses

    def ask(self, method, path):
        return SimpleNamespace(status=self.statuses.pop(0))

    def begin(self, *_, **__):
        return 1

    def send(self, *_):
        pass

    def answered(self):
        return self.given_up


@pytest.mark.parametrize(
    ("given_up", "after", "said"),
    [
        (0, 200, None),
        (100, 200, "waited until 100 bodies were given up"),
        (1, 200, "waited until 1 bodies"),
        (0, 503, "503 beside slow bodies, 200 without"),
    ],
)
def test_who_waited_for_slow_bodies_is_named(monkeypatch, given_up, after, said):
    def connection(session, service):
        return nullcontext(Connection(given_up, [200, after]))

    monkeypatch.setattr(edge, "_http2", connection)
    environment = local_environment("one", https_port=18443, http_port=18480)
    session = SimpleNamespace(environment=environment)
    if said is None:
        assert "fhir, keycloak" in edge.slow_bodies(session)
    else:
        with pytest.raises(FailedError, match=said):
            edge.slow_bodies(session)


class Refusing(Connection):
    """One that refuses every body, until its caller is interrupted at the third."""

    def __init__(self, session):
        super().__init__(0, [])
        self.session, self.bodies = session, 0

    def ask(self, method, path, headers=(), body=None):
        self.bodies += body is not None
        if self.bodies == 3:
            self.session.stop()
        return SimpleNamespace(status=401 if body else 200)


def test_refused_bodies_end_when_the_session_is_stopped(monkeypatch):
    session = Session(
        environment=local_environment("one", https_port=18443, http_port=18480),
        admin=None,
        backend=None,
        http=None,
        authority=None,
        secrets={},
        inside={},
    )
    connection = Refusing(session)
    monkeypatch.setattr(edge, "_http2", lambda *_: nullcontext(connection))
    with pytest.raises(KeyboardInterrupt):
        edge.refused_bodies(session)
    assert connection.bodies == 3
