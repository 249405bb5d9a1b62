"""Slow bodies wait at the edge: no service, however few its workers, is held by slow senders."""

import contextlib
import http.server
import io
import json
import threading

import pytest
from tests.unit.services.edge_harness import DOMAIN, Echo, echo, running

WORKERS = 8
"""Requests that the service reads or answers at a time: as many as Superset's threads."""
LARGE = 1 << 20
PATHS = {
    "fhir": "/fhir",
    "keycloak": "/auth/realms/opensrp/login-actions/authenticate",
    "web": "/gateway/fhir",
    "superset": "/api/v1/security/login",
}


class Few(Echo):
    """Echoes with few workers, each of which reads a body to its end."""

    workers = threading.BoundedSemaphore(WORKERS)
    arrived = 0

    def answer(self):
        with self.workers:
            type(self).arrived += 1
            super().answer()

    do_GET = do_POST = answer  # noqa: N815


class Whole(http.server.BaseHTTPRequestHandler):
    """Says how many bytes came."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        data = str(len(self.rfile.read(int(self.headers["Content-Length"])))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def few(stack, service):
    handler = type(f"Few{service}", (Few,), {"workers": threading.BoundedSemaphore(WORKERS)})
    return handler, echo(stack, service, handler)


@pytest.fixture
def busy(tmp_path):
    """Return the edge before services with few workers, and their handlers."""
    with contextlib.ExitStack() as stack:
        made = {service: few(stack, service) for service in PATHS}
        backends = {service: end for service, (_, end) in made.items()}
        one = stack.enter_context(running(tmp_path, tuple(PATHS), backends))
        yield one, {service: handler for service, (handler, _) in made.items()}


def hold(stack, edge, service, number, *, size, sent):
    """Begin bodies of a size by HTTP/1.1 and go on no further than `sent` bytes."""
    head = (
        f"POST {PATHS[service]} HTTP/1.1\r\nHost: {service}.{DOMAIN}:{edge.port}\r\n"
        f"Content-Length: {size}\r\n\r\n"
    )
    held = []
    for _ in range(number):
        secure = stack.enter_context(edge.http1(service, seconds=30))
        with contextlib.suppress(OSError):
            secure.sendall(head.encode() + b"x" * sent)
        held.append(secure)
    return held


def until(secure, text):
    """Return what arrives, up to a text."""
    answer = b""
    while text not in answer:
        more = secure.recv(4096)
        assert more, answer
        answer += more
    return answer


def hold_streams(stack, edge, service, connections):
    """Begin a hundred bodies on each connection by HTTP/2, and send one byte of each."""
    for _ in range(connections):
        client = stack.enter_context(edge.http2(service, seconds=30))
        for _ in range(100):
            stream = client.begin("POST", PATHS[service], [("content-length", "30")], body=True)
            client.send(stream, b"x")


def honest(edge, service):
    """Return the statuses of small requests by HTTP/1.1 and 2."""
    seen = [edge.ask(service, PATHS[service], method="POST", body="a=b" * 100)[0] for _ in range(5)]
    with edge.http2(service) as client:
        for _ in range(5):
            seen.append(client.ask("POST", PATHS[service], [], b"a=b").status)
            seen.append(client.ask("GET", PATHS[service]).status)
    return seen


@pytest.mark.parametrize("service", PATHS)
def test_honest_requests_go_on_while_500_slow_bodies_are_held(busy, service):
    edge, handlers = busy
    with contextlib.ExitStack() as stack:
        hold(stack, edge, service, 100, size=30, sent=1)
        hold_streams(stack, edge, service, 4)
        assert honest(edge, service) == [200] * 15
        behind = handlers["fhir" if service == "web" else service]
        assert behind.arrived == 15, "a body arrived before it was whole"


def test_who_was_given_up_can_be_told_from_who_is_still_held(tmp_path):
    """`verify` tells by it whether a service went on beside slow bodies or waited for them."""
    with contextlib.ExitStack() as stack:
        backends = {"fhir": echo(stack, "fhir"), "keycloak": echo(stack, "keycloak")}
        names, short = ("fhir", "keycloak"), {"body_seconds": 2}
        edge = stack.enter_context(running(tmp_path, names, backends, settings=short))
        client = stack.enter_context(edge.http2("fhir"))
        assert client.answered() == 0
        for _ in range(20):
            stream = client.begin("POST", PATHS["fhir"], [("content-length", "30")], body=True)
            client.send(stream, b"x")
        given_up = 0
        while given_up < 20:
            given_up += client.answered()
        assert client.ask("GET", PATHS["fhir"]).status == 200


def test_few_large_bodies_are_handed_on_at_a_time(busy):
    """Who sends the beginning of a large body at once is let through, but not without limit."""
    edge, handlers = busy
    with contextlib.ExitStack() as stack:
        hold(stack, edge, "superset", WORKERS * 3, size=LARGE, sent=120_000)
        assert honest(edge, "superset") == [200] * 15
        assert handlers["superset"].arrived - 15 < WORKERS
    assert honest(edge, "superset") == [200] * 15


def test_one_address_has_a_share_of_large_bodies(tmp_path):
    with contextlib.ExitStack() as stack:
        backends = {"fhir": echo(stack, "fhir", Whole)}
        settings = {"large_bodies_per_address": 3}
        edge = stack.enter_context(running(tmp_path, ("fhir",), backends, settings=settings))
        held = hold(stack, edge, "fhir", 3, size=LARGE, sent=120_000)
        answers = []
        while not answers or answers[-1] != 429:
            # Those that are held arrive in any order with this one; what fits is answered.
            with edge.http2("fhir") as client:
                answer = client.ask("POST", "/fhir", [], b"x" * 200_000)
                answers.append(answer.status)
            assert len(answers) < 500
        assert json.loads(answer.body)["issue"][0]["code"] == "throttled"
        assert answer.headers["retry-after"]
        assert edge.ask("fhir", "/fhir", method="POST", body="small")[0] == 200
        for secure in held:
            secure.sendall(b"x" * (LARGE - 120_000))
            assert b" 200 " in until(secure, str(LARGE).encode())


def test_a_slow_phone_gets_through_and_a_stalled_body_is_told(tmp_path):
    """The time is for a small body, or the beginning of a large one: a rate, never a whole time."""
    with contextlib.ExitStack() as stack:
        backends = {"fhir": echo(stack, "fhir", Whole)}
        edge = stack.enter_context(
            running(tmp_path, ("fhir",), backends, settings={"body_seconds": 2})
        )
        phone = hold(stack, edge, "fhir", 1, size=300_000, sent=100_000)[0]
        stalled = hold(stack, edge, "fhir", 1, size=300_000, sent=10_000)[0]
        # The time is over when this one is told so.
        answer = until(stalled, b"OperationOutcome")
        assert b" 408 " in answer.split(b"\r\n")[0]
        assert b"trict-" in answer.lower()
        phone.sendall(b"x" * 200_000)
        assert b" 200 " in until(phone, b"\r\n300000")


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("size", [0, 1, 20_000, 31_000, 70_000, 100_000, 2_000_000])
def test_every_size_arrives_whole(whole, announced, size):
    with whole.http2("fhir") as client:
        length = [("content-length", str(size))] if announced else []
        answer = client.ask("POST", "/fhir", length, b"x" * size)
        assert (answer.status, json.loads(answer.body)["body"] == "x" * size) == (200, True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        backends = {"fhir": echo(stack, "fhir", Chunked), "keycloak": echo(stack, "keycloak")}
        root = tmp_path_factory.mktemp("whole")
        yield stack.enter_context(running(root, ("fhir", "keycloak"), backends))


class Chunked(Echo):
    """Echoes bodies without an announced length too."""

    def answer(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            self.headers["Content-Length"] = str(len(body))
            kept, self.rfile = self.rfile, io.BytesIO(body)
            super().answer()
            self.rfile = kept
        else:
            super().answer()

    do_POST = answer  # noqa: N815


@pytest.mark.parametrize("announced", [True, False])
def test_keycloak_gets_no_body_that_is_not_whole(whole, announced):
    length = [("content-length", "200000")] if announced else []
    with whole.http2("keycloak") as client:
        answer = client.ask("POST", PATHS["keycloak"], length, b"x" * 200_000)
        assert answer.status == 413
        assert answer.headers["strict-transport-security"]
        assert client.ask("POST", PATHS["keycloak"], [], b"x" * 20_000).status == 200
