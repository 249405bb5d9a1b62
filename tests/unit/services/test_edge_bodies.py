"""No request's bytes run with another's: bodies that a service leaves unread.

The service behind the edge answers a POST while the end of its body lies unread before it, and
takes what follows on the connection as the next request. HAProxy hands such a connection to the
next client unless it is told not to.
"""

import contextlib
import fcntl
import http.server
import ssl
import struct
import termios
import time

import pytest
from h2.exceptions import ProtocolError
from tests.unit.services.edge_harness import DOMAIN, echo, running

LEFT = 2000
"""Bytes of a body, at most, that the service leaves unread."""
PATHS = {
    "fhir": "/fhir/Patient",
    "keycloak": "/auth/resources/a",
    "web": "/gateway/fhir/Patient",
    "superset": "/api/v1/chart",
}
PREPARED = b"GET /stolen HTTP/1.1\r\nHost: x\r\nX-Rest: "
SIZES = (len(PREPARED), 2_000, 80_000, 300_000)


class Hasty(http.server.BaseHTTPRequestHandler):
    """Answers 401 to a body that it has not read to its end, and goes on with the connection."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("X-Size") or 0)
        self.rfile.read(max(0, length - LEFT))
        waiting = min(length, LEFT)
        deadline = time.monotonic() + 2
        while self.unread() < waiting and time.monotonic() < deadline:
            time.sleep(0.001)
        data = f"{self.command} {self.path}"
        status = "401 Unauthorized" if length else "200 OK"
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n\r\n"
        self.wfile.write((head + data).encode())

    def unread(self):
        return struct.unpack("I", fcntl.ioctl(self.connection, termios.FIONREAD, b"\0" * 4))[0]

    # Nothing is read ahead: it would not be counted.
    rbufsize = 0
    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, *_):
        pass


def body(size):
    """Return a body whose last bytes are a request that takes the next one's head."""
    return b"\r\n" * ((size - len(PREPARED)) // 2) + PREPARED


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """Return the edge before services that answer early, by both families of addresses."""
    with contextlib.ExitStack() as stack:
        services = tuple(PATHS)
        backends = {service: echo(stack, service, Hasty) for service in services}
        root = tmp_path_factory.mktemp("hasty")
        yield stack.enter_context(running(root, services, backends, address6="[::1]"))


def attack_by_http1(edge, service, address, size):
    sent = body(size)
    head = (
        f"POST {PATHS[service]} HTTP/1.1\r\nHost: {service}.{DOMAIN}:{edge.port}\r\n"
        f"Connection: keep-alive\r\nX-Size: {len(sent)}\r\nContent-Length: {len(sent)}\r\n\r\n"
    )
    with edge.http1(service, address) as secure, contextlib.suppress(ssl.SSLError, OSError):
        secure.sendall(head.encode())
        secure.sendall(sent)
        secure.recv(65536)


def attack_by_http2(client, service, size, announced):
    sent = body(size)
    headers = [("x-size", str(len(sent)))]
    if announced:
        headers.append(("content-length", str(len(sent))))
    stream = client.begin("POST", PATHS[service], headers, body=True)
    # Who closes with bytes unread may cut its own answer.
    with contextlib.suppress(ProtocolError):
        client.finish(stream, sent)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("service", PATHS)
def test_the_next_request_is_whole_and_its_senders_alone(hasty, service, address):
    """The loop of the fault: a refused body, then another's request, by HTTP/1.1 and 2."""
    path = PATHS[service]
    wanted = (200, f"GET {path.removeprefix('/gateway')}")
    seen = []
    with hasty.http2(service, address) as attacker, hasty.http2(service, address) as victim:
        # Only connections that were used before are handed on.
        for client in (attacker, victim):
            assert client.ask("GET", path).status == 200
        for turn in range(4):
            for size in SIZES:
                if turn % 2:
                    attack_by_http1(hasty, service, address, size)
                else:
                    attack_by_http2(attacker, service, size, announced=turn == 0)
                answer = victim.ask("GET", path)
                seen.append((answer.status, answer.body.decode()))
    assert seen == [wanted] * len(seen)


def test_a_client_cannot_ask_for_kept_connections(hasty):
    """`Connection: keep-alive` of a client is its own, not the service's."""
    for _ in range(5):
        attack_by_http1(hasty, "fhir", "127.0.0.1", SIZES[1])
        with hasty.http2("fhir") as victim:
            assert [victim.ask("GET", "/fhir/a").status for _ in range(2)] == [200, 200]
