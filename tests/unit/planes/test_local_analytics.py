"""The programs of analytics, run by the local plane: scripts stand in their places."""

import json
import os
import time
from pathlib import Path, PurePosixPath

import pytest

from fhirstack.errors import UnreachableError
from fhirstack.model.local import local_environment
from fhirstack.planes.local import dashboards, processes, sync
from fhirstack.planes.local.account import Account
from fhirstack.planes.local.platform import Platform
from fhirstack.planes.local.stack import Stack, record
from fhirstack.planes.plane import Action
from fhirstack.secret import Secret
from fhirstack.services import catalogue
from fhirstack.services.workload import Context

OWN = Account("me", os.geteuid(), os.getegid())
DONE = {"event": "done", "run": 1, "status": "ok"}


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    stack = Stack("one", tmp_path / "one", 20000)
    stack.root.mkdir()
    record(stack, OWN)
    stack.path("run", "tmp").mkdir()
    programs = {name: tmp_path / name for name in ("connectors", "pipelines", "superset")}
    (tmp_path / "pipelines").mkdir()
    places = {
        f"{name}_root": PurePosixPath(stack.path(name))
        for name in ("config", "data", "run", "tls", "log")
    }
    environment = local_environment("one", https_port=20043, http_port=20080)
    secrets = {name: Secret(f"value-of-{name}") for name in catalogue.SECRETS}
    context = Context(
        environment=environment,
        endpoints=stack.endpoints,
        artifacts={
            **{name: PurePosixPath(path) for name, path in programs.items()},
            "superset-assets": PurePosixPath(tmp_path / "assets"),
        },
        secrets=secrets,
        **places,
    )
    return Platform(stack, OWN, environment, secrets, context)


def program(platform: Platform, artifact: str, script: str) -> None:
    """Put a script in the place of an environment's Python."""
    path = Path(platform.context.artifacts[artifact]) / "bin/python"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env python3\nimport json, os, signal, sys, time\n{script}\n")
    path.chmod(0o755)


def runner(platform: Platform, script: str) -> None:
    program(platform, "connectors", f"tell = lambda e: print(json.dumps(e), flush=True)\n{script}")


def test_what_the_runner_tells_is_passed_on(platform: Platform):
    runner(platform, f"tell({{'event': 'phase'}}); tell({{**{DONE}, 'words': sys.argv[1:]}})")
    first, last = sync.run(platform, full=True, wait_seconds=7)
    assert first == {"event": "phase"}
    words = last["words"]
    assert words[:3] == ["-m", "fhirstack_sync", "run"]
    assert words[-2:] == ["--wait=7", "--full"]
    assert sync.done([first, last]) == last


def test_the_runner_gets_the_stacks_mark_and_nothing_of_ours(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("A_PASSWORD", "secret")
    runner(platform, f"tell({{**{DONE}, 'environment': dict(os.environ)}})")
    (last,) = sync.run(platform)
    assert last["environment"][processes.MARK] == str(platform.stack.root)
    assert "A_PASSWORD" not in last["environment"]
    assert "value-of-" not in json.dumps(last)


def test_programs_that_are_not_there_are_said_with_the_remedy(platform: Platform):
    Path(platform.context.artifacts["pipelines"]).rmdir()
    with pytest.raises(UnreachableError, match="not set up yet") as caught:
        list(sync.run(platform))
    assert "./fhirstack up" in caught.value.remedy


def test_a_warehouse_that_cannot_be_reached_is_said(platform: Platform):
    runner(platform, "tell({'event': 'unreachable', 'error': 'refused'}); sys.exit(3)")
    with pytest.raises(UnreachableError, match="nothing was carried: refused"):
        list(sync.run(platform))


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("print('why it broke', file=sys.stderr); sys.exit(1)", "ended with 1\nwhy it broke"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended with -9"),
        ("pass", "ended with 0"),
    ],
)
def test_a_runner_that_breaks_off_is_said_with_its_words(
    platform: Platform, script: str, says: str
):
    runner(platform, f"tell({{'event': 'phase'}}); {script}")
    with pytest.raises(UnreachableError, match=says):
        list(sync.run(platform))


def test_a_failed_run_is_told_and_no_error(platform: Platform):
    """It was recorded: whether that is an error is the caller's to say."""
    runner(platform, f"tell({{**{DONE}, 'status': 'failed'}}); sys.exit(1)")
    assert sync.done(sync.run(platform))["status"] == "failed"


def test_who_stops_listening_stops_the_run(platform: Platform):
    runner(platform, "tell({'event': 'phase', 'pid': os.getpid()}); time.sleep(600)")
    events = sync.run(platform)
    pid = next(iter(events))["pid"]
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < sync._STOP_SECONDS
    assert not Path(f"/proc/{pid}").exists()


CHANGE = {"kind": "chart", "id": "1", "title": "Visits", "action": "update", "reason": "by hand"}


def set_up(platform: Platform, report: str, code: int) -> None:
    script = f"print('a word of Superset', file=sys.stderr)\nprint({report!r}, end='')\n"
    program(platform, "superset", script + f"sys.exit({code})")


@pytest.mark.parametrize(
    ("act", "code", "checked"), [(dashboards.plan, 1, True), (dashboards.converge, 0, False)]
)
def test_what_the_set_up_tells_are_changes(platform: Platform, act, code: int, checked: bool):
    kept = {**CHANGE, "title": "Old", "action": "delete"}
    set_up(platform, json.dumps({"changes": [CHANGE], "kept": [kept]}), code)
    change, report = act(platform)
    assert (change.plane, change.address) == ("superset", "chart/Visits")
    assert (change.action, change.reason) == (Action.UPDATE, "by hand")
    assert (report.action, report.address) == (Action.REPORT, "chart/Old")
    command = dashboards.superset.setup_command(platform.context, check=checked)
    assert ("--check" in command) is checked


@pytest.mark.parametrize(("report", "code"), [('{"error": "x"}', 2), ("", 0), ("", 1), ("", -9)])
def test_a_set_up_that_failed_is_said_with_its_last_lines(
    platform: Platform, report: str, code: int
):
    script = "os.kill(os.getpid(), signal.SIGKILL)" if code < 0 else ""
    set_up(platform, report, code)
    if script:
        program(
            platform,
            "superset",
            f"print('a word of Superset', file=sys.stderr, flush=True)\n{script}",
        )
    with pytest.raises(UnreachableError, match="a word of Superset") as caught:
        dashboards.plan(platform)
    assert "superset-setup.log" in caught.value.remedy
