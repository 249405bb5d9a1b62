"""A hurried administrator, a full disk, a taken port, an old Java, a killed `up`."""

import fcntl
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from fhirstack.planes.local import processes
from fhirstack.planes.local.stack import OFFSETS, is_free
from fhirstack.planes.local.supervisor import Supervisor
from tests.e2e.conftest import REPOSITORY
from tests.e2e.waiting import until

pytestmark = pytest.mark.e2e

BASE = 20600
CORE = ("--without", "analytics")


def start_up(cli, *words):
    command = [str(REPOSITORY / "fhirstack"), "up", "--name", cli.name, *words]
    return subprocess.Popen(
        command,
        env=cli.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def is_locked(root):
    with (root / "lock").open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("up", "--name", "Not_A_Name"), 2, "cannot be a stack's name"),
        (("up", "--port-base", "80"), 2, "out of range"),
        (("up", "--nonsense"), 2, "nonsense"),
        (("nonsense",), 2, "nonsense"),
        (("status", "--name", "none"), 2, "there is no stack none"),
        (("down", "--name", "none"), 2, "there is no stack none"),
        (("down", "--name", "none", "--delete-data"), 2, "there is no stack none"),
        (("restart", ""), 2, "nothing is given after restart"),
        (("verify", "--name", "none"), 2, "there is no stack none"),
        (("demo", "load", "--name", "none"), 2, "there is no stack none"),
        (("demo", "load", "--patients", "0"), 2, "patients"),
        (("sync", "--name", "none"), 2, "there is no stack none"),
        (("sync", "--format", "xml"), 2, "no format xml"),
        (("up", "--without", "keycloak"), 2, "there is no part keycloak"),
        (("up", "--fhir-web", "/nowhere"), 2, "does not exist"),
    ],
)
def test_wrong_usage_is_said_with_a_remedy(home, bare, words, code, says):
    answer = bare(*words, name=False)
    assert answer.code == code, answer.text
    assert says in answer.text
    assert "Traceback" not in answer.text


def test_a_taken_port_is_named_with_its_holder(cli, bare):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", BASE + OFFSETS["edge", "https"]))
        taken.listen()
        answer = bare("up", *CORE, "--port-base", str(BASE))
    assert answer.code == 3
    assert str(BASE + 43) in answer.text
    assert str(os.getpid()) in answer.text
    assert "--port-base" in answer.text


def test_a_running_stack_keeps_its_ports_when_the_new_ones_are_taken(cli):
    before = cli.stack
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", BASE + OFFSETS["redis", "redis"]))
        taken.listen()
        answer = cli("up", "--port-base", str(BASE))
    assert answer.code == 3
    assert str(BASE + 79) in answer.text
    assert cli.stack == before
    assert "Nothing differs." in cli.ok("plan")


def test_two_commands_at_once_are_refused(cli):
    from fhirstack.planes.local.platform import exclusive  # noqa: PLC0415

    with exclusive(cli.stack.root):
        answer = cli("up")
    assert answer.code == 2
    assert "another fhirstack command" in answer.text


def test_killed_and_interrupted_up_is_completed_beside_another_stack(cli, bare, home):
    """kill -9, then Ctrl-C, then a whole run: a second stack that shares nothing; then no trace."""
    root = home / "bare"
    first = start_up(bare, *CORE, "--port-base", str(BASE))
    until(lambda: Supervisor(root).running(), "supervisord of the second stack", limit=600)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()

    second = start_up(bare)
    until(lambda: is_locked(root), "the second run at work", limit=300)
    os.killpg(second.pid, signal.SIGINT)
    text, _ = second.communicate(timeout=120)
    assert second.returncode == 130, text
    assert "run it again" in text
    assert "Traceback" not in text

    bare.ok("up")
    status = bare.status()
    assert all(service["ready"] for service in status.values())
    assert not {"superset", "sync"} & set(status)
    assert all(service["ready"] for service in cli.status().values())
    own = {p.name: p.read_text() for p in (root / "secrets").iterdir()}
    other = {p.name: p.read_text() for p in (cli.stack.root / "secrets").iterdir()}
    assert not set(own.values()) & set(other.values())

    marked = processes.of_stack(root)
    assert marked
    bare.ok("down", "--delete-data")
    assert not root.exists()
    assert processes.of_stack(root) == []
    assert all(is_free(BASE + place) for place in OFFSETS.values())
    assert all(service["ready"] for service in cli.status().values())


def fake_program(directory: Path, name: str, script: str) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def with_path(cli, directory: Path, **more: str):
    environment = {**cli.environment, **more}
    environment["PATH"] = f"{directory}:{environment['PATH']}"
    return type(cli)(cli.name, environment)


def test_a_java_that_is_too_old_is_said(bare, tmp_path):
    fake_program(tmp_path, "java", "echo 'openjdk version \"11.0.2\"' >&2")
    answer = with_path(bare, tmp_path)("up")
    assert answer.code == 3
    assert "Java 11 is too old: 17" in answer.text


@pytest.fixture
def cache(tmp_path):
    """A cache that has Python's environments only: everything else must be made."""
    from fhirstack.bundle.cache import cache_directory  # noqa: PLC0415

    made = tmp_path / "cache"
    made.mkdir()
    for environment in cache_directory().glob("python-*"):
        (made / environment.name).symlink_to(environment)
    return made


def test_a_failed_download_is_said(bare, tmp_path, cache):
    fake_program(tmp_path, "mvn", "echo 'Could not transfer artifact x'; exit 1")
    answer = with_path(bare, tmp_path, FHIRSTACK_CACHE=str(cache))("up")
    assert answer.code == 3
    assert "Could not transfer artifact" in answer.text or "cannot be reached" in answer.text
    assert "network" in answer.text
    assert not list(cache.glob("keycloak-*"))


def test_a_wrong_checksum_is_said(bare, tmp_path, cache):
    script = (
        'for word in "$@"; do case "$word" in -DoutputDirectory=*) d="${word#*=}";; esac; done\n'
        'echo forged > "$d/keycloak-quarkus-dist-26.7.3.tar.gz"'
    )
    fake_program(tmp_path, "mvn", script)
    answer = with_path(bare, tmp_path, FHIRSTACK_CACHE=str(cache))("up")
    assert answer.code == 3
    assert "checksum" in answer.text.lower() or "SHA-256" in answer.text
    assert not list(cache.glob("keycloak-*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk needs root: it is a mount")
def test_a_full_disk_is_said_and_nothing_is_lost(cli, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(small)], check=True)
    try:
        small.chmod(0o755)
        full = type(cli)("full", {**cli.environment, "FHIRSTACK_HOME": str(small)})
        answer = full("up", *CORE, "--port-base", "20700")
        assert answer.code == 3
        assert "disk is full" in answer.text.lower() or "No space left" in answer.text
        assert "Traceback" not in answer.text
        assert (small / "full/secrets/postgresql-superuser").exists()
        assert full("down", "--delete-data").code == 0
    finally:
        processes.end(processes.of_stack(small / "full"))
        subprocess.run(["umount", str(small)], check=True)
