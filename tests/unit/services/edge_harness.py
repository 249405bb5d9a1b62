"""A real HAProxy with the rendered configuration, in front of small services."""

import contextlib
import datetime
import http.client
import http.server
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from fhirstack.checks import http2
from fhirstack.model.local import local_environment
from fhirstack.planes.local import certificates
from fhirstack.services import edge
from fhirstack.services.workload import Endpoint

DOMAIN = "tt.localhost"
HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers every request with what arrived."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = {
            "service": self.server.service,
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.rfile.read(length).decode(),
        }
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Set-Cookie", "session=1; Path=/; HttpOnly; Secure")
        self.send_header("X-Powered-By", "Express")
        if self.server.service == "superset":
            self.send_header("Content-Security-Policy", "default-src 'self' own")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """One that many connect to at once."""

    request_queue_size = 128


def echo(stack, service, handler=Echo):
    """Serve one service, which echoes; it ends with the stack."""
    server = Server(("127.0.0.1", 0), handler)
    server.service = service
    # HAProxy keeps connections, and ends before their service does.
    server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def end():
        server.shutdown()
        server.server_close()
        thread.join()

    stack.callback(end)
    return Endpoint("127.0.0.1", server.server_address[1])


def free_ports(number):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Edge:
    """A running HAProxy and a way to ask it, with the exact target that is given."""

    def __init__(self, port, plain_port, authority):
        self.port = port
        self.plain_port = plain_port
        self.authority = authority.certificate.public_bytes(
            certificates.serialization.Encoding.PEM
        ).decode()
        self.context = ssl.create_default_context(cadata=self.authority)

    def http2(self, service, address="127.0.0.1", seconds=10):
        """Open one connection by HTTP/2."""
        trust = http2.trust(ssl.create_default_context(cadata=self.authority))
        return http2.Http2(f"{service}.{DOMAIN}", (address, self.port), trust, seconds=seconds)

    def http1(self, service, address="127.0.0.1", seconds=10, source=""):
        """Open one connection, for raw bytes; `source`: from another address of this machine."""
        plain = socket.create_connection((address, self.port), seconds, (source, 0))
        return self.context.wrap_socket(plain, server_hostname=f"{service}.{DOMAIN}")

    def ask(self, service, target, *, method="GET", headers=None, body=None, host=None,
            source=""):  # fmt: skip
        name = f"{service}.{DOMAIN}"
        with self.http1(service, source=source) as secure:
            lines = [f"{method} {target} HTTP/1.1", f"Host: {host or name}:{self.port}"]
            lines += [f"{key}: {value}" for key, value in (headers or {}).items()]
            if body is not None:
                lines.append(f"Content-Length: {len(body)}")
            lines += ["Connection: close", "", body or ""]
            secure.sendall("\r\n".join(lines).encode("latin-1"))
            response = http.client.HTTPResponse(secure, method=method)
            response.begin()
            data = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        seen = json.loads(data) if headers.get("content-type") == "application/json" else {}
        return response.status, seen, headers, data.decode()


@contextlib.contextmanager
def running(root: Path, services, backends, *, settings=None, address6="", **options):
    """Run HAProxy with the rendered configuration; `settings`: of the edge."""
    if HAPROXY is None:
        pytest.fail("haproxy is not installed")
    https, plain = free_ports(2)
    environment = local_environment("tt", https_port=https, http_port=plain)
    chosen = environment.edge.model_copy(update=settings or {})
    environment = environment.model_copy(update={"services": services, "edge": chosen})
    now = datetime.datetime.now(datetime.UTC)
    authority = certificates.make_authority(environment.domain, now)
    (root / "edge").mkdir()
    for service in services:
        name = environment.dns_name(service)
        pair = certificates.make_certificate(authority, name, now)
        (root / "edge" / f"{name}.pem").write_bytes(pair.pem())
    listen = edge.Listen("127.0.0.1", str(root / "edge"), str(root / "socket"), address6)
    text = edge.render(environment, listen, backends, **options)
    (root / "haproxy.cfg").write_text(text)
    check = subprocess.run(
        [HAPROXY, "-c", "-f", root / "haproxy.cfg"], capture_output=True, text=True, check=False
    )
    assert (check.returncode, "WARNING" in check.stdout + check.stderr) == (0, False), check
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            [HAPROXY, "-db", "-q", "-f", root / "haproxy.cfg"], stdout=log, stderr=log
        )
        try:
            while True:
                assert process.poll() is None, (root / "log").read_text()
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", https), timeout=1).close()
                    break
                time.sleep(0.02)
            yield Edge(https, plain, authority)
        finally:
            process.kill()
            process.wait()
