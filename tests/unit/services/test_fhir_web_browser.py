"""The checks' browser: a real Chromium before a real TLS server."""

import datetime
import http.server
import shutil
import ssl
import sys
import threading
from types import SimpleNamespace

import pytest

from fhirstack.checks import browser as module
from fhirstack.checks.check import FailedError, SkippedError
from fhirstack.planes.local import certificates

pytest.importorskip("playwright")
needs_chromium = pytest.mark.skipif(
    shutil.which("chromium") is None or shutil.which("certutil") is None,
    reason="chromium or certutil is not installed",
)


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>seen</title>")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve a page over TLS; returns its address and the authority's file."""
    root = tmp_path_factory.mktemp("site")
    now = datetime.datetime.now(datetime.UTC)
    authority = certificates.make_authority("browser.localhost", now)
    pair = certificates.make_certificate(authority, "web.browser.localhost", now)
    (root / "web.pem").write_bytes(pair.pem())
    public = authority.certificate.public_bytes(certificates.serialization.Encoding.PEM)
    (root / "ca.pem").write_bytes(public)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(root / "web.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    # Handshakes in the connection's own thread: a refused one must not stop the server.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"https://web.browser.localhost:{server.server_address[1]}/", root / "ca.pem"
    server.shutdown()
    server.server_close()
    thread.join()


def session_with(authority, root=None):
    return SimpleNamespace(authority=authority, local_root=root)


@needs_chromium
def test_the_authority_is_trusted_and_a_picture_is_for_its_owner_only(site, tmp_path):
    address, authority = site
    session = session_with(authority, tmp_path)
    for _ in range(2):
        with module.browser(session) as context:
            page = context.new_page()
            page.goto(address)
            assert page.title() == "seen"
            said = module.keep_picture(session, page, "one")
    path = tmp_path / "verify/one.png"
    assert said == f"picture: {path}"
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@needs_chromium
def test_without_the_authority_the_certificate_is_refused(site):
    with (
        pytest.raises(FailedError, match="ERR_CERT_AUTHORITY_INVALID"),
        module.browser(session_with(None)) as context,
    ):
        context.new_page().goto(site[0])


@needs_chromium
def test_another_name_than_the_certificates_is_refused(site):
    address, authority = site
    with (
        pytest.raises(FailedError, match="ERR_CERT"),
        module.browser(session_with(authority)) as context,
    ):
        context.new_page().goto(address.replace("web.", "other."))


def opened(session):
    with module.browser(session):
        pass


@pytest.mark.parametrize("missing", ["chromium", "certutil"])
def test_a_missing_program_is_a_reason_to_skip(monkeypatch, site, missing):
    there = shutil.which

    def which(name, *rest):
        gone = module._PROGRAMS if missing == "chromium" else ("certutil",)
        return None if name in gone else there(name, *rest) or f"/usr/bin/{name}"

    monkeypatch.setattr(module.shutil, "which", which)
    with pytest.raises(SkippedError, match=f"(?i){missing} is not installed"):
        opened(session_with(site[1]))


def test_a_missing_package_is_a_reason_to_skip(monkeypatch):
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(SkippedError, match="playwright is not installed"):
        opened(session_with(None))


def test_a_browser_that_does_not_start_is_a_reason_to_skip(monkeypatch):
    monkeypatch.setattr(module, "_program", lambda: "/bin/false")
    with pytest.raises(SkippedError, match="does not start"):
        opened(session_with(None))
