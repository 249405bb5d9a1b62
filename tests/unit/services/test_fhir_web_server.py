"""FHIR Web's server and what surrounds it, with real Node.js and Redis."""

import contextlib
import json
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from tests.unit.services.fhir_web_harness import (
    FHIR,
    KEYCLOAK,
    SERVER,
    build,
    context_of,
    file_of,
    free_port,
    workload_of,
    write,
)

from fhirstack.errors import UsageError
from fhirstack.model.site import FhirWeb
from fhirstack.services import fhir_web, redis
from fhirstack.services.fhir_web import server
from fhirstack.services.workload import TcpProbe


@pytest.fixture
def workload(tmp_path):
    """Return the workload of a build, with its context's directory."""
    return workload_of(tmp_path)


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
