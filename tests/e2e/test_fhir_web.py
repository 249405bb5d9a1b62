"""FHIR Web's place: a server of the test's own, laid out as a build, run as FHIR Web would be."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from fhirstack.demo.places import ROOT_LOCATION_ID
from fhirstack.planes.local import processes
from fhirstack.planes.plane import Action
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
const { createHash, randomUUID } = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");

const env = process.env;
const secret = /SECRET|REDIS_STAND/;
const told = Object.fromEntries(
  Object.entries(env).map(([name, value]) => [
    name,
    secret.test(name) ? createHash("sha256").update(value).digest("hex") : value,
  ]),
);
const root = env.EXPRESS_REACT_BUILD_PATH;
const { useDefaults, ...directives } = JSON.parse(env.EXPRESS_CONTENT_SECURITY_POLICY_CONFIG);
const policy = Object.entries(directives).map(([name, from]) => [name, ...from].join(" "));
const sessions = new Map();

async function tokens(form) {
  const client = `${env.EXPRESS_OPENSRP_CLIENT_ID}:${env.EXPRESS_OPENSRP_CLIENT_SECRET}`;
  const answer = await fetch(env.EXPRESS_OPENSRP_ACCESS_TOKEN_URL, {
    method: "POST",
    headers: { Authorization: `Basic ${Buffer.from(client).toString("base64")}` },
    body: new URLSearchParams(form),
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return { session: { extraData: { oAuth2Data: await answer.json() } } };
}

const pages = {
  "/told": (request) => [200, { told, proxied: request.headers }],
  "/login": () => [302, env.EXPRESS_FRONTEND_LOGIN_URL],
  "/oauth/state": (request, id) => [200, sessions.get(id) ?? { error: "Not authorized" }],
  "/refresh/token": async (request, id) => {
    const { refresh_token } = sessions.get(id).session.extraData.oAuth2Data;
    sessions.set(id, await tokens({ grant_type: "refresh_token", refresh_token }));
    return [200, sessions.get(id)];
  },
  "/oauth/callback/OpenSRP/": async (request, id, query) => {
    if (query.get("state") !== env.EXPRESS_OPENSRP_OAUTH_STATE) throw new Error("Invalid state");
    const code = query.get("code");
    const redirect_uri = env.EXPRESS_OPENSRP_CALLBACK_URL;
    const made = randomUUID();
    sessions.set(made, await tokens({ grant_type: "authorization_code", code, redirect_uri }));
    return [302, env.EXPRESS_FRONTEND_OPENSRP_CALLBACK_URL, made];
  },
};

http
  .createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://x");
    response.setHeader("Content-Security-Policy", policy.join(";"));
    const id = /fhir-web=([^;]+)/.exec(request.headers.cookie)?.[1];
    if (pages[pathname]) {
      try {
        const [status, said, made] = await pages[pathname](request, id, searchParams);
        if (made) response.setHeader("Set-Cookie", `fhir-web=${made}; Path=/; HttpOnly; Secure`);
        if (status === 302) response.setHeader("Location", said);
        else response.setHeader("Content-Type", "application/json");
        response.writeHead(status).end(JSON.stringify(said));
      } catch (error) {
        response.writeHead(500).end(String(error));
      }
      return;
    }
    // Every address that is no file is a page of the application.
    const file = path.join(root, path.normalize(decodeURIComponent(pathname)));
    const found = fs.statSync(file, { throwIfNoEntry: false })?.isFile();
    if (file.endsWith(".js")) response.setHeader("Content-Type", "text/javascript");
    else response.setHeader("Content-Type", "text/html");
    response.end(fs.readFileSync(found ? file : path.join(root, "index.html")));
  })
  .listen(env.EXPRESS_PORT);
"""
APP = """\
const env = window._env_;
if (location.pathname === "/fe/login") {
  const query = new URLSearchParams({
    client_id: env.REACT_APP_OPENSRP_CLIENT_ID,
    redirect_uri: `${env.REACT_APP_DOMAIN_NAME}/oauth/callback/OpenSRP/`,
    response_type: "code",
    scope: env.REACT_APP_OPENSRP_OAUTH_SCOPES.split(",").join(" "),
    state: env.REACT_APP_OPENSRP_OAUTH_STATE,
  });
  location.href = `${env.REACT_APP_OPENSRP_AUTHORIZATION_URL}?${query}`;
} else {
  fetch(env.REACT_APP_EXPRESS_OAUTH_GET_STATE_URL)
    .then((answer) => answer.json())
    .then((state) => {
      if (!state.session) location.href = `/login?next=${encodeURIComponent(location.pathname)}`;
    });
}
"""
PAGE = """<!doctype html><script src="/config.js?v=CONFIG_VERSION"></script>
<p>pages of the test</p><script src="/static/app.js"></script>"""


@pytest.fixture(scope="module")
def build(home):
    """A directory that the account of the services can read."""
    root = home / "fhir-web-build"
    for path, text in {
        "express-server/dist/index.js": SERVER,
        "web/index.html": PAGE,
        "web/config.js": "window._env_ = {};",
        "web/static/app.js": APP,
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
    assert pages("/static/app.js").text == APP
    config = pages("/config.js").text
    settings = json.loads(config.removeprefix("window._env_ = ").rstrip().removesuffix(";"))
    environment = platform_of(running).environment
    assert settings["REACT_APP_FHIR_API_BASE_URL"] == f"{environment.url('web')}/gateway/fhir"
    assert settings["REACT_APP_FHIR_ROOT_LOCATION_ID"] == ROOT_LOCATION_ID
    told = pages("/told").json()["told"]
    assert settings["REACT_APP_OPENSRP_OAUTH_STATE"] == told["EXPRESS_OPENSRP_OAUTH_STATE"]
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


def test_verify_logs_in_at_it_and_all_that_its_pages_send_is_answered(running):
    answer = running("verify", "web.", "client.web", "--format", "json")
    assert answer.code == 0, answer.text
    found = {result["id"]: result for result in json.loads(answer.out)}
    assert "by FHIR Web itself" in found["web.login"]["evidence"]
    assert found["web.state"]["verdict"] == found["client.web"]["verdict"] == "ok"


def test_a_second_up_changes_nothing(running):
    assert running.converge().changes == ()


def test_new_pages_in_their_place_are_planned_and_served_at_the_next_up(running, pages, build):
    files = {"index.html": PAGE.replace("of the test", "anew"), "static/app.2.js": "// another"}
    for name, text in files.items():
        (build / "web" / name).write_text(text)
    (build / "web/static/app.js").unlink()
    try:
        # Until then all of the old ones are served.
        assert "of the test" in pages("/").text
        assert pages("/static/app.js").text == APP
        planned = running("plan", "--format", "json")
        assert planned.code == 1
        (change,) = json.loads(planned.out)["changes"]
        assert change["address"] == "data/fhir-web/web"
        assert change["reason"].endswith("index.html, static/app.2.js, static/app.js")
        assert [made.address for made in running.converge().changes] == ["data/fhir-web/web"]
        assert "pages anew" in pages("/").text
        assert pages("/static/app.2.js").text == "// another"
        assert "pages anew" in pages("/static/app.js").text
    finally:
        (build / "web/static/app.2.js").unlink(missing_ok=True)
        (build / "web/static/app.js").write_text(APP)
        (build / "web/index.html").write_text(PAGE)


def test_a_new_server_in_its_place_is_started(running, pages, build):
    before = running.status()[fhir_web.NAME]["pid"]
    (build / "express-server/dist/index.js").write_text(SERVER + "// another\n")
    (build / "express-server/dist/index.js").chmod(0o644)
    assert [
        made.action for made in running.converge().changes if made.address == fhir_web.NAME
    ] == [Action.RESTART]
    assert running.status()[fhir_web.NAME]["pid"] != before
    assert pages("/told").status_code == 200


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


@pytest.mark.parametrize(
    ("name", "said"),
    [("", "holds no FHIR Web"), ("nowhere", "does not exist"), ("a-file", "is no directory")],
)
def test_a_place_without_it_is_refused_and_nothing_changes(cli, home, name, said):
    (home / "a-file").touch()
    before = cli.stack
    answer = cli("up", "--fhir-web", str(home / name))
    assert answer.code == 2
    assert said in answer.text
    assert "express-server/" in answer.text
    assert cli.stack == before
