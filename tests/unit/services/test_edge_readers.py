"""Who asks for much and reads nothing holds a share of a service, and others are served."""

import contextlib
import json
import threading

import pytest
from tests.unit.services.edge_harness import Echo, echo, running

SHARE = 20
WORKERS = 2 * SHARE
LONG = 8 << 20
"""More than the buffers between two programs of one machine hold."""
PATHS = {
    "fhir": "/fhir/metadata",
    "keycloak": "/auth/resources/a.js",
    "web": "/static/js/main.js",
    "superset": "/static/assets/a.js",
}
OTHER = "127.0.0.2"


class Long(Echo):
    """Has few workers, each of which writes an answer to its end."""

    workers = threading.BoundedSemaphore(WORKERS)

    def answer(self):
        with self.workers:
            if not self.path.endswith("?long"):
                super().answer()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(LONG))
            self.end_headers()
            self.wfile.write(b"x" * LONG)

    do_GET = answer  # noqa: N815


@pytest.fixture
def edge(tmp_path):
    with contextlib.ExitStack() as stack:
        backends = {
            service: echo(
                stack,
                service,
                type("Own", (Long,), {"workers": threading.BoundedSemaphore(WORKERS)}),
            )
            for service in PATHS
        }
        settings = {"requests_per_address": SHARE}
        yield stack.enter_context(running(tmp_path, tuple(PATHS), backends, settings=settings))


def by_http1(stack, edge, service):
    """Ask for answers by HTTP/1.1, one a connection, and read none."""
    for _ in range(3 * SHARE):
        secure = stack.enter_context(edge.http1(service))
        head = f"GET {PATHS[service]}?long HTTP/1.1\r\nHost: {secure.server_hostname}\r\n\r\n"
        secure.sendall(head.encode())


def by_http2(stack, edge, service):
    """Ask for a hundred answers on each connection by HTTP/2: no window ever opens again."""
    for _ in range(3):
        client = stack.enter_context(edge.http2(service))
        for _ in range(100):
            client.begin("GET", f"{PATHS[service]}?long")


@pytest.mark.parametrize("hold", [by_http1, by_http2])
@pytest.mark.parametrize("service", PATHS)
def test_honest_requests_go_on_while_an_address_reads_nothing(edge, service, hold):
    path = PATHS[service]
    with contextlib.ExitStack() as stack:
        hold(stack, edge, service)
        for _ in range(10):
            assert edge.ask(service, path, source=OTHER)[0] == 200
        status = 200
        while status == 200:
            # The last of those that read nothing arrive in any order with this one.
            status, _, headers, body = edge.ask(service, path)
        assert (status, headers["retry-after"]) == (429, "30")
        assert service != "fhir" or json.loads(body)["issue"][0]["code"] == "throttled"
        if service == "fhir":
            assert edge.ask("web", "/gateway/fhir/metadata")[0] == 429
        for another in PATHS.keys() - {service}:
            assert edge.ask(another, PATHS[another])[0] == 200
    while status != 200:
        # Who has gone leaves the share to others.
        status = edge.ask(service, path)[0]
