"""Units of systemd: what differs, and what is done, on a systemd of a few lines."""

import itertools
import subprocess

import pytest

from fhirstack.planes.hosts.agent import base, services
from fhirstack.planes.hosts.resources import Service


class Systemd:
    """The little of systemctl that the agent calls, with the states of one unit."""

    def __init__(
        self, load="loaded", active="inactive", file="disabled", *, sub="", crashes=False, coming=()
    ):
        self.coming = iter(coming)
        """States that systemd goes through by itself, one each time that it is asked."""
        self.state = {
            "LoadState": load,
            "ActiveState": active,
            "SubState": sub,
            "UnitFileState": file,
            "NeedDaemonReload": "no",
        }
        self.crashes = crashes
        self.calls = []

    def __call__(self, command, text=None, timeout=300, check=True):
        verb = command[1]
        out = ""
        if command[0] == "journalctl":
            out = "no space left"
        elif verb == "show":
            self.state["ActiveState"] = next(self.coming, self.state["ActiveState"])
            out = "".join(f"{key}={value}\n" for key, value in self.state.items())
        else:
            self.calls.append(verb)
            self.act(verb)
        return subprocess.CompletedProcess(command, 0, out, "")

    def act(self, verb):
        if verb in ("start", "restart", "reload-or-restart"):
            self.state |= {"ActiveState": "failed" if self.crashes else "active", "SubState": ""}
            if verb == "restart" and "MainPID" in self.state:
                self.state["MainPID"] = "8"
        elif verb == "daemon-reload":
            self.state["NeedDaemonReload"] = "no"
        elif verb == "disable":
            self.state |= {"ActiveState": "inactive", "UnitFileState": "disabled"}
        elif verb == "mask":
            self.state["UnitFileState"] = "masked"
        elif verb == "unmask":
            self.state["UnitFileState"] = "disabled"
        elif verb == "enable":
            self.state["UnitFileState"] = "enabled"


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "ROOT", str(tmp_path))

    def make(systemd, earlier=(), digests=None, **spec):
        monkeypatch.setattr(services, "run", systemd)
        found = services.Service(Service(name="redis", **spec).as_dict())
        found.earlier = set(earlier)
        found.digests = digests or {}
        return found

    return make


def told(resource):
    return [(change.action, change.reason, change.disrupts) for change in resource.plan()]


RUNS = {"active": "active", "file": "enabled"}
CASES = {
    "runs as declared": (RUNS, {}, (), []),
    "not installed yet": ({"load": "not-found", "file": ""}, {}, (), [("start", "", False)]),
    "stopped by hand": (
        {"active": "inactive", "file": "enabled"}, {}, (),
        [("start", "it is inactive", False)],
    ),
    "failed": (
        {"active": "failed", "file": "enabled"}, {}, (), [("start", "it is failed", False)],
    ),
    "starting, and then it runs": (
        {"active": "inactive", "file": "enabled", "coming": ["activating", "activating", "active"]},
        {}, (), [],
    ),
    "stopping, and then it is stopped": (
        {**RUNS, "coming": ["deactivating", "inactive"]}, {}, (),
        [("start", "it is inactive", False)],
    ),
    "started again and again": (
        {"active": "activating", "sub": "auto-restart", "file": "enabled"}, {}, (),
        [("start", "it does not stay up", False)],
    ),
    "masked by hand": (
        {"active": "inactive", "file": "masked", "load": "masked"}, {}, (),
        [("update", "it is masked", False), ("start", "it is inactive", False)],
    ),
    "disabled by hand": (
        {"active": "active", "file": "disabled"}, {}, (),
        [("update", "it does not start at boot", False)],
    ),
    "a file of it changes": (
        RUNS, {"watch": ("file:/a",)}, ("file:/a",),
        [("restart", "file:/a changes", True)],
    ),
    "a file that it reloads changes": (
        RUNS, {"reload_watch": ("file:/a",)}, ("file:/a",),
        [("update", "file:/a changes", False)],
    ),
    "nobody knows what it was started with": (
        RUNS, {"watch": ("file:/a",)}, (),
        [("restart", "what it reads changed since it started", True)],
    ),
    "its package is not there yet": (
        {"load": "not-found", "file": ""}, {"watch": ("package:redis",)}, ("package:redis",),
        [("start", "", False)],
    ),
    "should be masked and runs": (RUNS, {"masked": True}, (), [("stop", "", True)]),
    "is masked as declared": ({"file": "masked"}, {"masked": True}, (), []),
    "should not run": (RUNS, {"running": False, "enabled": False}, (), [("stop", "", True)]),
    "stands still as declared": ({}, {"running": False, "enabled": False}, (), []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_differences(host, name):
    state, spec, earlier, expected = CASES[name]
    assert told(host(Systemd(**state), earlier, **spec)) == expected


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[3]])
def test_after_apply_nothing_differs(host, name):
    state, spec, earlier, _ = CASES[name]
    systemd = Systemd(**state)
    resource = host(systemd, earlier, **spec)
    resource.apply(resource.plan())
    resource.earlier = set()
    systemd.state["LoadState"] = "loaded"
    assert told(resource) == []


def test_a_restart_that_was_cut_off_is_made_up_for(host):
    systemd = Systemd(**RUNS)
    resource = host(systemd, digests={"file:/a": "1"}, watch=("file:/a",))
    resource.apply(resource.plan())
    assert told(resource) == []
    resource.drop_note("file:/a")
    assert told(resource) == [("restart", "what it reads changed since it started", True)]
    resource.drop_note("file:/other")
    resource.apply(resource.plan())
    assert systemd.calls.count("restart") == 2


RUNS_ELSE = "/usr/bin/x runs, and its unit starts /usr/bin/redis"
OTHERS = {
    "systemd has not read its unit again": (
        {"NeedDaemonReload": "yes"}, "/usr/bin/redis", "",
        "its unit's files changed since systemd read them", ["daemon-reload"],
    ),
    "another program": ({}, "/usr/bin/x", "", RUNS_ELSE, []),
    "systemd was given a library for all": (
        {}, "/usr/bin/redis", "LD_PRELOAD=/x.so",
        "it was started with LD_PRELOAD, which its unit does not set", ["unset-environment"],
    ),
    "as it should be": ({}, "/usr/bin/redis", "", "", []),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_a_process_that_is_another_is_restarted_and_then_is_not(host, tmp_path, name):
    properties, program, environment, reason, before = OTHERS[name]
    systemd = Systemd(**RUNS)
    start = "{ path=/usr/bin/redis ; argv[]=/usr/bin/redis ; ignore_errors=no }"
    systemd.state |= {"MainPID": "7", "ExecStart": start, **properties}
    place = tmp_path / "proc/7"
    place.mkdir(parents=True)
    (place / "exe").symlink_to(program)
    (place / "cmdline").write_text("/usr/bin/redis\0")
    (place / "environ").write_text(environment)
    resource = host(systemd)
    assert told(resource) == ([("restart", reason, True)] if reason else [])
    resource.apply(resource.plan())
    assert systemd.calls == ([*before, "reset-failed", "restart"] if reason else [])
    assert told(resource) == []


def test_a_declaration_that_changed_restarts_although_the_files_are_there(host):
    resource = host(Systemd(**RUNS), digests={"file:/a": "1"}, watch=("file:/a",))
    resource.apply(resource.plan())
    resource.digests = {"file:/a": "2"}
    assert told(resource) == [("restart", "what it reads changed since it started", True)]


def test_a_unit_that_does_not_start_is_told_with_its_last_lines(host):
    resource = host(Systemd(crashes=True, file="enabled"))
    with pytest.raises(
        base.AgentError, match=r"redis.service does not start: it is failed.*\n.*space"
    ):
        resource.apply(resource.plan())


def test_a_unit_that_never_settles_is_judged_as_it_is(host, monkeypatch):
    monkeypatch.setattr(services, "SETTLE_SECONDS", 0)
    resource = host(Systemd(file="enabled", coming=itertools.repeat("activating")))
    assert told(resource) == [("start", "it is activating", False)]
