"""FHIR Web's rendering, and what surrounds its server, with real Node.js and Redis."""

import contextlib
import json
import os
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
from fhirstack.services import render as rendering
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


def page_settings(**setting):
    return config(pages.render_config(environment_with(FhirWeb(**setting))))


def test_the_pages_log_in_through_the_server_and_ask_the_gateway_on_their_own_origin():
    values = page_settings()
    assert values["REACT_APP_BACKEND_ACTIVE"] == "true"
    assert values["REACT_APP_DISABLE_LOGIN_PROTECTION"] == "false"
    assert values["REACT_APP_FHIR_API_BASE_URL"] == f"{WEB}/gateway/fhir"
    assert values["REACT_APP_KEYCLOAK_API_BASE_URL"] == f"{KEYCLOAK}/auth/admin/realms/opensrp"
    for menu in ("USERS", "USER_GROUPS", "USER_ROLES", "USER_SYNC"):
        assert values[f"REACT_APP_ENABLE_{menu}"] == "true"


def test_both_ends_of_a_log_in_have_one_state(workload):
    state = page_settings()["REACT_APP_OPENSRP_OAUTH_STATE"]
    assert state
    assert f"EXPRESS_OPENSRP_OAUTH_STATE={state}\n" in file_of(workload, "environment")
    cluster = fhir_web.cluster_workload(environment_with(FhirWeb(image="opensrp/web:v3.3.3")))
    assert cluster is not None
    assert cluster.environment["EXPRESS_OPENSRP_OAUTH_STATE"] == state
    assert config(cluster.files[0].content)["REACT_APP_OPENSRP_OAUTH_STATE"] == state


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ({}, {"FHIR_ROOT_LOCATION_ID": "root", "ENABLE_FHIR_COMMODITY": "false"}),
        ({"root_location": "eff94f33-c356"}, {"FHIR_ROOT_LOCATION_ID": "eff94f33-c356"}),
        (
            {"commodity_list": "vaccines"},
            {"ENABLE_FHIR_COMMODITY": "true", "COMMODITIES_LIST_RESOURCE_ID": "vaccines"},
        ),
        ({"project": "eusm"}, {"PROJECT_CODE": "eusm"}),
        (
            {"languages": ("fr", "en")},
            {
                "LANGUAGE_CODE": "fr",
                "SUPPORTED_LANGUAGES": "fr,en",
                "ENABLE_LANGUAGE_SWITCHER": "true",
            },
        ),
        ({"languages": ("sw",)}, {"LANGUAGE_CODE": "sw", "ENABLE_LANGUAGE_SWITCHER": "false"}),
    ],
)
def test_what_the_site_says_of_the_pages_is_in_their_settings(setting, shown):
    values = page_settings(**setting)
    assert {name: values[f"REACT_APP_{name}"] for name in shown} == shown
    cluster = fhir_web.cluster_workload(environment_with(FhirWeb(image="web:v1", **setting)))
    assert cluster is not None
    assert values | {"REACT_APP_OPENSRP_WEB_VERSION": "v1"} == config(cluster.files[0].content)


@pytest.mark.parametrize("name", ["config.js", "environment"])
def test_nothing_leads_to_another_site(workload, name):
    text = {
        "config.js": pages.render_config(environment_with(FhirWeb())),
        "environment": file_of(workload, "environment"),
    }[name]
    found = set(re.findall(r"https?://[^\s\"'/\\]+", text))
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
    assert "SECRET-" not in file_of(workload, "start")
    assert "SECRET-" not in " ".join(workload.command) + repr(workload.environment)
    assert file_of(workload, "environment").count("SECRET-") == 3


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


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda root: root / "none", "does not exist"),
        (lambda root: root.joinpath("file"), "is no directory"),
        (lambda root: root, "holds no FHIR Web"),
    ],
)
def test_what_is_wrong_with_a_place_is_said_with_the_remedy(tmp_path, make, said):
    (tmp_path / "file").touch()
    place = make(tmp_path)
    for find in (fhir_web.found_in, lambda path: fhir_web.layout(FhirWeb(build=path))):
        with pytest.raises(UsageError, match=said) as caught:
            find(str(place))
        assert caught.value.where == str(place)
        assert "express-server/" in caught.value.remedy


def test_a_place_is_named_from_the_root_on(tmp_path, monkeypatch):
    build(tmp_path / "x")
    (tmp_path / "y").mkdir()
    monkeypatch.chdir(tmp_path / "y")
    monkeypatch.setenv("HOME", str(tmp_path))
    for named in ("../x", "../y/./../x/", "~/x"):
        assert fhir_web.found_in(named).build == str(tmp_path / "x")


CONFIG = "ours"


def served(target: Path) -> dict[str, str]:
    return {
        str(path.relative_to(target)): path.read_text()
        for path in target.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def laid_out(tmp_path):
    """Return a build's pages, and where they are served."""
    source = build(tmp_path / "build") / "web"
    target = tmp_path / "web"
    fhir_web.lay_out(fhir_web.web_root(source, CONFIG), target)
    return source, target


def test_the_pages_are_shown_with_our_configuration(laid_out):
    source, target = laid_out
    shown = served(target)
    assert shown["config.js"] == CONFIG
    assert shown["static/main.js"] == "app"
    assert "CONFIG_VERSION" not in shown["index.html"]
    assert (source / "config.js").read_text() == "window._env_ = {};"
    assert fhir_web.differing(fhir_web.web_root(source, CONFIG), target) == []


def test_laid_out_again_nothing_is_written(laid_out):
    source, target = laid_out
    state = {path: path.lstat().st_mtime_ns for path in (target, *target.rglob("*"))}
    fhir_web.lay_out(fhir_web.web_root(source, CONFIG), target)
    assert {path: path.lstat().st_mtime_ns for path in (target, *target.rglob("*"))} == state


def replace_release(source):
    (source / "static/main.js").unlink()
    (source / "static/main.5f2.js").write_text("new")
    (source / "index.html").write_text("<script src=/static/main.5f2.js>")


def keep_size_and_time(source):
    path = source / "static/main.js"
    status = path.stat()
    path.write_text("ppa")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES_OF_A_BUILD = {
    "another index": lambda source: (source / "index.html").write_text("<p>another"),
    "another release": replace_release,
    "the same size and time": keep_size_and_time,
    "a new file": lambda source: (source / "favicon.ico").write_text("x"),
    "a file is gone": lambda source: (source / "static/main.js").unlink(),
    "a directory is gone": lambda source: shutil.rmtree(source / "static"),
    "a directory for a file": lambda source: (
        (source / "static/main.js").unlink(),
        (source / "static/main.js").mkdir(),
        (source / "static/main.js/x").write_text("x"),
    ),
    "a file for a directory": lambda source: (
        shutil.rmtree(source / "static"),
        (source / "static").write_text("a file"),
    ),
}


@pytest.mark.parametrize("name", CHANGES_OF_A_BUILD)
def test_a_changed_build_is_noticed_by_its_content_and_served(laid_out, name):
    source, target = laid_out
    before = served(target)
    CHANGES_OF_A_BUILD[name](source)
    wanted = fhir_web.web_root(source, CONFIG)
    assert fhir_web.differing(wanted, target)
    # Until it is taken, all of the old one is served.
    assert served(target) == before
    fhir_web.lay_out(wanted, target)
    assert fhir_web.differing(wanted, target) == []
    kept = {"config.js", "index.html"}
    new = {name: text for name, text in served(source).items() if name not in kept}
    assert {name: text for name, text in served(target).items() if name not in kept} == new


def test_another_configuration_is_noticed_and_browsers_are_told_by_another_address(laid_out):
    source, target = laid_out
    first = (target / "index.html").read_text()
    wanted = fhir_web.web_root(source, "theirs")
    assert fhir_web.differing(wanted, target) == ["config.js", "index.html"]
    fhir_web.lay_out(wanted, target)
    assert (target / "config.js").read_text() == "theirs"
    assert (target / "index.html").read_text() != first


@pytest.mark.parametrize("name", ["index.html", "static/main.js", "config.js"])
def test_what_somebody_changed_among_the_served_is_put_right(laid_out, name):
    source, target = laid_out
    right = served(target)
    (target / name).write_text("changed")
    wanted = fhir_web.web_root(source, CONFIG)
    assert fhir_web.differing(wanted, target) == [name]
    fhir_web.lay_out(wanted, target)
    assert served(target) == right


def test_only_plain_files_of_the_build_are_served(tmp_path, laid_out):
    source, target = laid_out
    (tmp_path / "private").write_text("private")
    (source / "leak").symlink_to(tmp_path / "private")
    (source / "all").symlink_to(tmp_path)
    (source / "node_modules/x").mkdir(parents=True)
    (source / "node_modules/x/index.js").write_text("x")
    assert fhir_web.differing(fhir_web.web_root(source, CONFIG), target) == []


def test_links_of_an_earlier_version_are_replaced_and_never_written_through(laid_out):
    source, target = laid_out
    shutil.rmtree(target)
    target.mkdir()
    (target / "static").symlink_to(source / "static")
    (target / "config.js").symlink_to(source / "config.js")
    (source / "static/new.js").write_text("new")
    before = served(source)
    fhir_web.lay_out(fhir_web.web_root(source, CONFIG), target)
    assert served(source) == before
    assert not [path for path in target.rglob("*") if path.is_symlink()]
    assert served(target)["static/new.js"] == "new"


def note_a_library(root):
    place = root / "express-server/node_modules"
    place.mkdir()
    (place / ".package-lock.json").write_text('{"packages": {"express": "4.21.3"}}')


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "express-server/dist/index.js").write_text(SERVER + "// another"),
        lambda root: (root / "express-server/dist/app.js").write_text("new"),
        note_a_library,
    ],
)
def test_another_server_in_its_place_is_restarted(tmp_path, workload, change):
    setting = FhirWeb(build=str(tmp_path / "build"))
    again = fhir_web.workload(context_of(tmp_path, setting))
    assert again == workload
    change(tmp_path / "build")
    assert fhir_web.workload(context_of(tmp_path, setting)) != workload


def test_a_server_that_the_services_account_cannot_read_is_named(tmp_path):
    setting = FhirWeb(build=str(build(tmp_path / "build")))
    found = fhir_web.layout(setting)
    for place in (tmp_path, *tmp_path.parents):
        with contextlib.suppress(PermissionError):
            place.chmod(place.stat().st_mode | 0o055)
    fhir_web.check_readable(found, 65000)
    (tmp_path / "build/express-server").chmod(0o700)
    with pytest.raises(UsageError, match="cannot be read"):
        fhir_web.check_readable(found, 65000)
    fhir_web.check_readable(found, (tmp_path / "build/express-server").stat().st_uid)


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
        "EXPRESS_REDIS_STAND_ALONE_URL",
    }  # fmt: skip
    (template,) = found.files
    assert template.path == "/etc/confd/templates/config.js.tmpl"
    assert config(template.content)["REACT_APP_OPENSRP_WEB_VERSION"] == "v3.3.3"
    assert fhir_web.cluster_workload(environment_with(FhirWeb())) is None


def test_a_cluster_gets_the_searches_that_its_pages_need():
    found = rendering.files(environment_with(FhirWeb(image="opensrp/web:v3.3.3")))
    bundle = json.loads(found["fhir-web/searches.json"])
    requests = {entry["request"]["url"]: entry["resource"] for entry in bundle["entry"]}
    assert set(requests) == {
        "SearchParameter/fhirstack-careteam-name",
        "SearchParameter/fhirstack-group-name",
    }
    assert list(requests.values()) == list(fhir_web.search_parameters())
    assert "fhir-web/searches.json" not in rendering.files(environment_with(FhirWeb()))


@pytest.mark.parametrize(
    ("reference", "version"),
    [("opensrp/web", ""), ("host:5000/opensrp/web", ""), ("opensrp/web:v1", "v1")],
)
def test_a_references_tag_is_its_version(reference, version):
    found = fhir_web.cluster_workload(environment_with(FhirWeb(image=reference)))
    assert found is not None
    values = config(found.files[0].content)
    assert values["REACT_APP_OPENSRP_WEB_VERSION"] == version
