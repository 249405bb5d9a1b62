"""The checks of the edge: each tells a service that is right from one that is not."""

import datetime
import socket
import ssl
import threading
from contextlib import nullcontext, suppress
from types import SimpleNamespace

import pytest

from fhirstack.checks import edge
from fhirstack.checks.check import FailedError, SkippedError
from fhirstack.checks.session import Session
from fhirstack.model.local import local_environment
from fhirstack.planes.local import certificates


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


@pytest.fixture
def tls(tmp_path, request):
    """Return the port of a server that takes TLS from the version of the parameter on."""
    now = datetime.datetime.now(datetime.UTC)
    authority = certificates.make_authority("one.localhost", now)
    pair = certificates.make_certificate(authority, "fhir.one.localhost", now)
    (tmp_path / "pair.pem").write_bytes(pair.pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = request.param

    def serve(listener):
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with (
                    connection,
                    suppress(OSError),
                    context.wrap_socket(connection, server_side=True) as secure,
                ):
                    secure.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def old_tls(port, monkeypatch):
    monkeypatch.setattr(edge, "_names", lambda session: ["127.0.0.1"])
    environment = local_environment("one", https_port=port, http_port=port)
    return edge.old_tls(SimpleNamespace(environment=environment))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("tls", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], indirect=True)
def test_a_server_that_takes_old_tls_is_found(tls, monkeypatch):
    with pytest.raises(FailedError, match=r"TLS 1\.1 is accepted"):
        old_tls(tls, monkeypatch)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("tls", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], indirect=True)
def test_a_server_that_refuses_old_tls_says_so_itself(tls, monkeypatch):
    assert "ALERT" in old_tls(tls, monkeypatch)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("tls", [ssl.TLSVersion.TLSv1_2], indirect=True)
def test_what_the_own_side_refuses_is_not_said_of_the_server(tls, monkeypatch):
    monkeypatch.setattr(edge, "OLD_CIPHERS", "ECDHE+AESGCM")
    with pytest.raises(SkippedError, match="cannot speak TLS 1"):
        old_tls(tls, monkeypatch)
