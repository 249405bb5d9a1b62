"""FHIR Web's rendering, and what surrounds its server, with real Node.js and Redis."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path, PurePosixPath

import pytest

from fhirstack.errors import UsageError
from fhirstack.model.local import local_environment
from fhirstack.model.site import FhirWeb
from fhirstack.secret import Secret
from fhirstack.services import fhir_web, redis
from fhirstack.services.fhir_web import pages, server
from fhirstack.services.workload import Context, Endpoint, TcpProbe

WEB = "https://web.demo.localhost:18443"
KEYCLOAK = "https://keycloak.demo.localhost:18443"
FHIR = "https://fhir.demo.localhost:18443"
SERVER = """
const http = require("http");
http.createServer((_, answer) => answer.end(JSON.stringify({ environment: process.env,
  directory: process.cwd() }))).listen(parseInt(process.env.EXPRESS_PORT, 10), () => {});
"""


def build(root: Path) -> Path:
    """Make a build's directory, with a stand-in for the server that tells what it was given."""
    (root / "express-server/dist").mkdir(parents=True)
    (root / "express-server/dist/index.js").write_text(SERVER)
    (root / "web/static").mkdir(parents=True)
    (root / "web/static/main.js").write_text("app")
    (root / "web/config.js").write_text("window._env_ = {};")
    (root / "web/index.html").write_text('<script src="/config.js?t=CONFIG_VERSION"></script>')
    return root


def image(root: Path) -> Path:
    """Make an unpacked image's directory."""
    (root / "usr/src/app/dist").mkdir(parents=True)
    (root / "usr/src/app/dist/index.js").write_text(SERVER)
    (root / "usr/src/web").mkdir(parents=True)
    (root / "usr/src/web/index.html").write_text("<html>")
    return root


def environment_with(setting: FhirWeb):
    return local_environment("demo", https_port=18443, http_port=18480, fhir_web=setting)


def context_of(root: Path, setting: FhirWeb, port: int = 18430) -> Context:
    return Context(
        environment=environment_with(setting),
        endpoints={
            ("fhir-web", "http"): Endpoint("127.0.0.1", port),
            ("redis", "redis"): Endpoint("127.0.0.1", 18479),
        },
        artifacts={"node": PurePosixPath(shutil.which("node") or "/no/node")},
        config_root=PurePosixPath(root / "config"),
        data_root=PurePosixPath(root / "data"),
        run_root=PurePosixPath(root / "run"),
        tls_root=PurePosixPath(root / "tls"),
        log_root=PurePosixPath(root / "log"),
        secrets={n: Secret(f"SECRET-{n}-$'\"") for n in (*fhir_web.SECRETS, "client-web")},
    )


def write(root: Path, workload) -> None:
    """Put the files where a runtime puts them."""
    for file in workload.files:
        path = root / "config/fhir-web" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.content)
    (root / "data/fhir-web").mkdir(parents=True)


def file_of(workload, name):
    return next(file.content for file in workload.files if file.path == name)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@pytest.fixture
def workload(tmp_path):
    """Return the workload of a build, with its context's directory."""
    setting = FhirWeb(build=str(build(tmp_path / "build")))
    return fhir_web.workload(context_of(tmp_path, setting))


def config(text):
    match = re.fullmatch(r"window\._env_ = (\{.*\});\n", text, re.DOTALL)
    assert match
    return json.loads(match[1])


def test_the_pages_log_in_through_the_server_and_ask_the_gateway_on_their_own_origin(workload):
    values = config(file_of(workload, "config.js"))
    assert values["REACT_APP_BACKEND_ACTIVE"] == "true"
    assert values["REACT_APP_DISABLE_LOGIN_PROTECTION"] == "false"
    assert values["REACT_APP_FHIR_API_BASE_URL"] == f"{WEB}/gateway/fhir"
    assert values["REACT_APP_KEYCLOAK_API_BASE_URL"] == f"{KEYCLOAK}/auth/admin/realms/opensrp"
    for menu in ("USERS", "USER_GROUPS", "USER_ROLES", "USER_SYNC"):
        assert values[f"REACT_APP_ENABLE_{menu}"] == "true"


@pytest.mark.parametrize("name", ["config.js", "environment"])
def test_nothing_leads_to_another_site(workload, name):
    found = set(re.findall(r"https?://[^\s\"'/\\]+", file_of(workload, name)))
    assert found <= {WEB, KEYCLOAK, FHIR}


def test_every_page_setting_is_a_string_and_the_image_finds_no_template_in_it():
    text = pages.render_config(environment_with(FhirWeb()))
    assert all(isinstance(value, str) for value in config(text).values())
    assert "{{" not in text


def test_logos_are_in_the_page():
    values = pages.settings(environment_with(FhirWeb()))
    logos = [values[name] for name in values if name.endswith("_SRC")]
    assert len(logos) == 3
    assert all(logo.startswith("data:image/svg+xml;base64,") for logo in logos)


def test_no_secret_is_where_others_may_look(workload):
    assert "SECRET-" not in file_of(workload, "config.js") + file_of(workload, "start")
    assert "SECRET-" not in " ".join(workload.command) + repr(workload.environment)
    assert file_of(workload, "environment").count("SECRET-") == 4


def test_the_policy_names_exactly_whom_the_pages_ask():
    policy = pages.content_security_policy(environment_with(FhirWeb()))
    assert policy["connect-src"] == ["'self'", KEYCLOAK, FHIR]
    assert policy["script-src"] == ["'self'"]
    assert "*" not in repr(policy)


def test_the_callback_is_the_one_that_the_realm_knows(workload):
    assert f"EXPRESS_OPENSRP_CALLBACK_URL={WEB}/oauth/callback/OpenSRP/\n" in file_of(
        workload, "environment"
    )


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (FhirWeb(), "--fhir-web"),
        (FhirWeb(image="opensrp/web:v3.3.3"), "opensrp/web:v3.3.3 needs a cluster"),
    ],
)
def test_where_nothing_can_run_there_is_a_reason_and_no_workload(tmp_path, setting, said):
    assert said in str(fhir_web.reason(environment_with(setting)))
    assert fhir_web.workload(context_of(tmp_path, setting)) is None


@pytest.mark.parametrize(("make", "kind"), [(build, "build"), (image, "directory")])
def test_a_directory_is_told_apart_by_what_it_holds(tmp_path, make, kind):
    setting = fhir_web.found_in(str(make(tmp_path / "x")))
    assert getattr(setting, kind) == str(tmp_path / "x")
    assert fhir_web.reason(environment_with(setting)) is None
    found = fhir_web.layout(setting)
    assert found.server.name == "index.js"
    assert (found.pages / "index.html").is_file()


@pytest.mark.parametrize("missing", ["express-server/dist/index.js", "web/index.html"])
def test_a_directory_that_holds_no_fhir_web_is_refused(tmp_path, missing):
    root = build(tmp_path / "x")
    (root / missing).unlink()
    with pytest.raises(UsageError, match="holds no FHIR Web"):
        fhir_web.found_in(str(root))
    with pytest.raises(UsageError, match="holds no FHIR Web"):
        fhir_web.layout(FhirWeb(build=str(root)))


def test_the_pages_are_shown_with_our_configuration(tmp_path):
    source = build(tmp_path / "build") / "web"
    ours = tmp_path / "config.js"
    ours.write_text("ours")
    target = tmp_path / "web"
    fhir_web.prepare_web_root(source, ours, target)
    assert (target / "config.js").read_text() == "ours"
    assert (target / "static/main.js").read_text() == "app"
    first = (target / "index.html").read_text()
    assert "CONFIG_VERSION" not in first
    state = {path: path.lstat().st_mtime_ns for path in target.iterdir()}
    fhir_web.prepare_web_root(source, ours, target)
    assert {path: path.lstat().st_mtime_ns for path in target.iterdir()} == state

    ours.write_text("changed")
    shutil.rmtree(source / "static")
    (source / "favicon.ico").write_text("x")
    fhir_web.prepare_web_root(source, ours, target)
    assert (target / "index.html").read_text() != first
    assert {path.name for path in target.iterdir()} == {"config.js", "index.html", "favicon.ico"}
    assert (source / "config.js").read_text() == "window._env_ = {};"


def test_a_place_that_the_services_account_cannot_read_is_named(tmp_path):
    setting = FhirWeb(build=str(build(tmp_path / "build")))
    found = fhir_web.layout(setting)
    for place in (tmp_path, *tmp_path.parents):
        with contextlib.suppress(PermissionError):
            place.chmod(place.stat().st_mode | 0o055)
    fhir_web.check_readable(found, 65000)
    (tmp_path / "build/web").chmod(0o700)
    with pytest.raises(UsageError, match="cannot be read"):
        fhir_web.check_readable(found, 65000)
    fhir_web.check_readable(found, (tmp_path / "build/web").stat().st_uid)


def test_the_server_starts_on_loopback_only_with_exactly_its_environment(tmp_path):
    port = free_port()
    context = context_of(tmp_path, FhirWeb(build=str(build(tmp_path / "build"))), port)
    workload = fhir_web.workload(context)
    assert workload is not None
    assert workload.probe == TcpProbe("http")
    write(tmp_path, workload)
    process = subprocess.Popen(workload.command, env={"PATH": "/usr/bin:/bin"})
    try:
        while True:
            assert process.poll() is None
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5) as answer:
                    told = json.load(answer)
                break
            time.sleep(0.05)
        # On every address but the one it was given, the port is still free.
        socket.create_server(("127.0.0.2", port)).close()
        socket.create_server(("::1", port), family=socket.AF_INET6).close()
        assert (
            Path(f"/proc/{process.pid}/cmdline")
            .read_bytes()
            .startswith(str(context.artifacts["node"]).encode())
        )
    finally:
        process.terminate()
        process.wait()
    given = told["environment"]
    assert told["directory"] == str(tmp_path / "data/fhir-web")
    assert given["NODE_ENV"] == "production"
    assert given["EXPRESS_SESSION_SECRET"] == "SECRET-fhir-web-session-$'\""
    assert given["EXPRESS_OPENSRP_OAUTH_STATE"] == "SECRET-fhir-web-oauth-state-$'\""
    assert given["EXPRESS_REDIS_STAND_ALONE_URL"].startswith("redis://fhir-web:SECRET-")
    policy = json.loads(given["EXPRESS_CONTENT_SECURITY_POLICY_CONFIG"])
    assert policy["connect-src"] == ["'self'", KEYCLOAK, FHIR]
    assert policy["useDefaults"] is False


def test_the_loader_lets_nothing_else_be_listened_on(tmp_path):
    loader = tmp_path / "loopback.cjs"
    setting = FhirWeb(build=str(build(tmp_path / "build")))
    workload = fhir_web.workload(context_of(tmp_path, setting))
    assert workload is not None
    loader.write_text(file_of(workload, "loopback.cjs"))
    for target in ("{port: 0, host: '0.0.0.0'}", "'/tmp/x.sock'"):
        code = f"require('http').createServer().listen({target})"
        done = subprocess.run(
            ["node", "--require", loader, "-e", code],
            env={"PATH": "/usr/bin:/bin", "LISTEN_HOST": "127.0.0.1"},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 1
        assert "only a port" in done.stderr


class Redis:
    """A tiny client of a Redis server, for commands and their answers' first line."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.stream = self.socket.makefile("rwb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def ask(self, *words):
        parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
        self.stream.write(f"*{len(words)}\r\n{''.join(parts)}".encode())
        self.stream.flush()
        line = self.stream.readline().decode().strip()
        if line.startswith("$") and line != "$-1":
            line = self.stream.read(int(line[1:]) + 2).decode().strip()
        return line


@pytest.fixture
def redis_port(tmp_path):
    """Run a Redis with FHIR Web's user."""
    port = free_port()
    (tmp_path / "users.acl").write_text(redis.render_users([(fhir_web.REDIS_USER, "p")]))
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
         "--aclfile", str(tmp_path / "users.acl"), "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while True:
            assert process.poll() is None
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


def test_its_redis_user_has_its_sessions_and_queue_and_nothing_else(redis_port):
    queue = f"bull:{server.IMPORT_QUEUE}"
    with Redis(redis_port) as client:
        assert client.ask("AUTH", "fhir-web", "p") == "+OK"
        assert client.ask("SET", "sess:abc", "{}", "EX", "10") == "+OK"
        assert client.ask("GET", "sess:abc") == "{}"
        assert client.ask("EVAL", "return redis.call('INCR', KEYS[1])", "1", f"{queue}:id") == ":1"
        assert client.ask("PUBLISH", f"{queue}:added", "1") == ":0"
        assert client.ask("INFO", "server").startswith("# Server")
        for words in (
            ("GET", "superset:x"), ("SET", "bull:other:id", "1"), ("KEYS", "*"), ("FLUSHALL",),
            ("CONFIG", "GET", "dir"), ("ACL", "LIST"), ("PUBLISH", "other", "1"), ("SHUTDOWN",),
            ("EVAL", "return redis.call('GET', 'superset:x')", "0"),
        ):  # fmt: skip
            answer = client.ask(*words)
            assert answer.startswith("-"), (words, answer)
            assert "permission" in answer or "can't access" in answer, (words, answer)


def test_a_cluster_gets_the_image_with_secrets_by_reference():
    environment = environment_with(FhirWeb(image="registry.example:5000/opensrp/web:v3.3.3"))
    found = fhir_web.cluster_workload(environment)
    assert found is not None
    local = server.public_settings(environment, server.Places("/usr/src/web", "/tmp/x"), 3000)  # noqa: S108
    assert found.environment.keys() == local.keys()
    assert not found.environment.keys() & found.secrets.keys()
    assert set(found.secrets) == {
        "EXPRESS_OPENSRP_CLIENT_SECRET", "EXPRESS_SESSION_SECRET",
        "EXPRESS_OPENSRP_OAUTH_STATE", "EXPRESS_REDIS_STAND_ALONE_URL",
    }  # fmt: skip
    (template,) = found.files
    assert template.path == "/etc/confd/templates/config.js.tmpl"
    assert config(template.content)["REACT_APP_OPENSRP_WEB_VERSION"] == "v3.3.3"
    assert fhir_web.cluster_workload(environment_with(FhirWeb())) is None


@pytest.mark.parametrize(
    ("reference", "version"),
    [("opensrp/web", ""), ("host:5000/opensrp/web", ""), ("opensrp/web:v1", "v1")],
)
def test_a_references_tag_is_its_version(reference, version):
    found = fhir_web.cluster_workload(environment_with(FhirWeb(image=reference)))
    assert found is not None
    values = config(found.files[0].content)
    assert values["REACT_APP_OPENSRP_WEB_VERSION"] == version
