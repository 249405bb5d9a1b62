"""A running stack: again, killed, edited by hand, restarted."""

import os
import signal

import pytest

from tests.e2e.waiting import until

pytestmark = pytest.mark.e2e

CORE = ("postgresql", "redis", "edge", "keycloak", "fhir-server", "fhir-gateway")
SERVICES = (*CORE, "superset", "sync")


def pids(cli):
    return {name: service["pid"] for name, service in cli.status().items()}


def state_of_files(cli):
    root = cli.stack.root
    paths = [p for top in ("config", "secrets", "tls") for p in (root / top).rglob("*")]
    return {path: path.stat().st_mtime_ns for path in paths if path.is_file()}


def test_all_services_are_ready_and_named(cli):
    status = cli.status()
    assert set(status) == set(SERVICES)
    wanting = {n: s for n, s in status.items() if not s["ready"] or s["memory"] <= 0}
    assert wanting == {}


def test_up_again_changes_nothing_and_says_so(cli):
    processes, files = pids(cli), state_of_files(cli)
    text = cli.ok("up")
    assert "Nothing changed." in text
    assert pids(cli) == processes
    assert state_of_files(cli) == files


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_service_comes_back(cli, service):
    before = pids(cli)[service]
    os.kill(before, signal.SIGKILL)

    def back():
        found = cli.status()[service]
        return found["ready"] and found["pid"] != before

    until(back, f"{service} is back")
    until(lambda: all(s["ready"] for s in cli.status().values()), "all others are ready again")


def test_a_file_edited_by_hand_is_put_right(cli):
    path = cli.stack.root / "config/edge/haproxy.cfg"
    wanted = path.read_text()
    path.write_text(wanted.replace("strict-sni", ""))
    (change,) = cli.converge().changes
    assert change.address == "config/edge/haproxy.cfg"
    assert path.read_text() == wanted


def test_a_service_that_keeps_failing_is_named_with_its_last_lines(cli):
    path = cli.stack.root / "config/redis/redis.conf"
    path.write_text(path.read_text() + "no-such-setting yes\n")
    cli.supervisor.stop("redis")
    cli.supervisor.start("redis")
    until(lambda: "redis is failing" in cli("status").text, "redis is said to fail")
    until(lambda: "no-such-setting" in cli("status").text, "its last lines are shown")
    assert cli("status").code == 1
    cli.converge()
    assert cli.status()["redis"]["ready"]


def test_a_killed_supervisor_is_replaced_and_its_orphans_ended(cli):
    orphans = pids(cli)
    daemon = int((cli.stack.root / "run/supervisord.pid").read_text())
    os.kill(daemon, signal.SIGKILL)
    until(lambda: not os.path.exists(f"/proc/{daemon}"), "supervisord is gone")  # noqa: PTH110
    answer = cli("status")
    assert answer.code == 1
    cli.converge()
    after = pids(cli)
    assert not set(after.values()) & set(orphans.values())
    until(lambda: all(s["ready"] for s in cli.status().values()), "all services are ready")


def test_down_and_up_keeps_the_data(cli):
    from tests.e2e.keycloak import platform_of  # noqa: PLC0415

    with platform_of(cli).fhir() as fhir:
        fhir.put("/Basic/kept", json={"resourceType": "Basic", "id": "kept", "code": {}})
    cli.ok("down")
    assert all(service["pid"] == 0 for service in cli.status().values())
    cli.converge()
    with platform_of(cli).fhir() as fhir:
        assert fhir.get("/Basic/kept").status_code == 200
        fhir.delete("/Basic/kept")


def test_restart_of_one_service_leaves_the_others(cli):
    before = pids(cli)
    cli.ok("restart", "redis")
    after = pids(cli)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"redis"}


def test_logs(cli):
    assert "ready to accept connections" in cli.ok("logs", "postgresql", "-n", "1000")
    answer = cli("logs", "nonsense")
    assert answer.code == 2
    assert "postgresql" in answer.text


def test_secret_is_printed_only_on_request(cli):
    names = cli.ok("secret").split()
    value = cli.ok("secret", "user-administrator").strip()
    assert "user-administrator" in names
    assert value == (cli.stack.root / "secrets/user-administrator").read_text()
    assert value not in cli.ok("up")
    assert cli("secret", "nonsense").code == 2


def test_no_file_of_the_stack_is_open_to_others(cli):
    root = cli.stack.root
    assert root.stat().st_mode & 0o077 == 0
    loose = [
        path
        for top in ("config", "secrets", "run")
        for path in (root / top).rglob("*")
        if path.is_file() and path.stat().st_mode & 0o077
    ]
    assert loose == []
