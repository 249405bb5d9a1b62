"""FHIR Web's place: a server of the test's own, laid out as a build, run as FHIR Web would be."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from fhirstack.planes.local import processes
from fhirstack.services import fhir_web
from fhirstack.services.fhir_web.server import secret_settings
from tests.e2e.keycloak import platform_of, session
from tests.e2e.waiting import until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js (Debian: nodejs)"),
]

SERVER = """\
"use strict";
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");

const secret = /SECRET|OAUTH_STATE|REDIS_STAND/;
const told = Object.fromEntries(
  Object.entries(process.env).map(([name, value]) => [
    name,
    secret.test(name) ? createHash("sha256").update(value).digest("hex") : value,
  ]),
);
const root = process.env.EXPRESS_REACT_BUILD_PATH;

http
  .createServer((request, response) => {
    const name = new URL(request.url, "http://x").pathname;
    if (name === "/told") {
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify({ told, proxied: request.headers }));
      return;
    }
    // Every address that is no file is a page of the application.
    const file = path.join(root, path.normalize(name));
    const found = fs.statSync(file, { throwIfNoEntry: false });
    response.end(fs.readFileSync(found?.isFile() ? file : path.join(root, "index.html")));
  })
  .listen(process.env.EXPRESS_PORT);
"""
PAGE = '<!doctype html><script src="/config.js?v=CONFIG_VERSION"></script><p>pages of the test</p>'


@pytest.fixture(scope="module")
def build(home):
    """A directory that the account of the services can read."""
    root = home / "fhir-web-build"
    for path, text in {
        "express-server/dist/index.js": SERVER,
        "web/index.html": PAGE,
        "web/config.js": "window._env_ = {};",
        "web/static/app.js": "// of the build",
    }.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    for place in (root, *root.rglob("*")):
        place.chmod(0o755 if place.is_dir() else 0o644)
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def running(cli, build):
    """The stack with FHIR Web; without it afterwards, before the build goes."""
    try:
        cli.converge(fhir_web=str(build))
        yield cli
    finally:
        cli.converge(fhir_web="")


@pytest.fixture
def pages(running):
    with session(running) as opened:
        base = opened.environment.url("web")
        yield lambda path: opened.http.get(f"{base}{path}")


def secrets_of(cli):
    return {name: secret.reveal() for name, secret in platform_of(cli).secrets.items()}


def test_it_runs_under_the_stacks_account_on_loopback(running):
    found = running.status()[fhir_web.NAME]
    assert found["ready"]
    words = Path(f"/proc/{found['pid']}/cmdline").read_bytes().split(b"\0")
    assert words[0].endswith(b"/node")
    status = Path(f"/proc/{found['pid']}/status").read_text()
    (uid,) = [line.split()[1] for line in status.splitlines() if line.startswith("Uid:")]
    assert int(uid) == platform_of(running).owner.uid
    port = running.stack.port(fhir_web.NAME, "http")
    (own,) = [s for s in processes.listening_of_stack(running.stack.root) if s.port == port]
    assert own.address.is_loopback
    assert "fhir-web does not run" not in running("status").text


def test_it_gets_our_environment_with_the_secrets_that_are_its_own(running, pages):
    told = pages("/told").json()["told"]
    environment = platform_of(running).environment
    assert told["NODE_ENV"] == "production"
    assert told["EXPRESS_OPENSRP_SERVER_URL"] == environment.fhir_base
    assert told["EXPRESS_OPENSRP_CLIENT_ID"] == "fhir-web"
    assert told["NODE_EXTRA_CA_CERTS"] == str(running.stack.root / "tls/ca.pem")
    known = secrets_of(running)
    for variable, name in secret_settings().items():
        assert told[variable] == sha256(known[name].encode()).hexdigest()
    own = set(secret_settings().values())
    assert not [name for name in known.keys() - own if known[name] in json.dumps(told)]


def test_the_pages_are_the_builds_with_our_configuration(running, pages, build):
    page = pages("/").text
    assert "pages of the test" in page
    assert "CONFIG_VERSION" not in page
    assert pages("/static/app.js").text == "// of the build"
    config = pages("/config.js").text
    environment = platform_of(running).environment
    assert environment.issuer in config
    assert f"{environment.url('web')}/gateway/fhir" in config
    assert not [name for name, value in secrets_of(running).items() if value in config]
    assert (build / "web/config.js").read_text() == "window._env_ = {};"
    assert (build / "web/index.html").read_text() == PAGE


def test_the_gateway_answers_beside_it_on_its_origin(running, pages):
    answer = pages("/gateway/fhir/metadata")
    assert answer.status_code == 200
    assert answer.json()["resourceType"] == "CapabilityStatement"


def test_the_edge_refuses_for_it_what_it_would_not(pages):
    assert pages("/login?next=https://elsewhere.example.org").status_code == 400
    assert pages("/$import").status_code == 403


def test_verify_passes_with_it(running):
    running.ok("verify", "web.", "edge.")


def test_a_second_up_changes_nothing(running):
    assert running.converge().changes == ()


def test_another_page_is_served_at_the_next_up(running, pages, build):
    (build / "web/index.html").write_text(PAGE.replace("of the test", "anew"))
    (build / "web/static/app.js").write_text("// another")
    try:
        assert pages("/static/app.js").text == "// another"
    finally:
        (build / "web/index.html").write_text(PAGE)


def test_it_is_taken_away_and_status_says_why(running):
    pid = running.status()[fhir_web.NAME]["pid"]
    running.converge(fhir_web="")
    assert fhir_web.NAME not in running.status()
    until(lambda: not Path(f"/proc/{pid}").exists(), "its process is gone")
    assert "fhir-web does not run: its licence" in running("status").text
    with session(running) as opened:
        answer = opened.http.get(opened.environment.url("web"))
        assert answer.status_code == 503
        assert "not installed" in answer.text
        base = f"{opened.environment.url('web')}/gateway/fhir"
        assert opened.http.get(f"{base}/metadata").status_code == 200


def test_a_directory_without_it_is_refused_and_nothing_changes(cli, home):
    before = cli.stack
    answer = cli("up", "--fhir-web", str(home))
    assert answer.code == 2
    assert "holds no FHIR Web" in answer.text
    assert cli.stack == before
