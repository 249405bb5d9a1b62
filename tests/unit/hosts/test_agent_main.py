"""The agent's main loop: what is planned is what is done, on one host at a time."""

import fcntl
import json
import subprocess
import sys

import pytest

from fhirstack.planes.hosts import resources
from fhirstack.planes.hosts.agent import base, every, files, main, record, rollback
from fhirstack.planes.hosts.program import BOOT, message
from fhirstack.planes.hosts.resources import Directory, File

IDENTITY = {"programme": "p", "environment": "production", "host": "db"}


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "ROOT", str(tmp_path))
    monkeypatch.setattr(files, "owner_ids", lambda owner, group: (-1, -1))
    monkeypatch.setattr(files, "_name", lambda look_up, number: "root")
    monkeypatch.setattr(record, "LOCK_SECONDS", 0)
    monkeypatch.setattr(main, "say", lambda doing: None)
    return tmp_path


def request(*resources, **rest):
    return {
        "identity": IDENTITY,
        "who": "ada@laptop",
        "token": "t",
        "confirm_seconds": 60,
        "resources": [resource.as_dict() for resource in resources],
        **rest,
    }


A = File(path="/etc/a", content="one\n")
B = File(path="/etc/b", content="two\n", secret=True)


def test_a_plan_says_what_apply_does_and_then_nothing_is_left(host):
    planned = main.plan(request(A, B))
    assert [change["address"] for change in planned["changes"]] == ["file:/etc/a", "file:/etc/b"]
    assert not (host / "etc").exists()
    applied = main.apply(request(A, B, expected=planned["fingerprint"]))
    assert applied["done"] == ["file:/etc/a", "file:/etc/b"]
    assert applied["error"] is None
    assert (host / "etc/a").read_text() == "one\n"
    assert main.plan(request(A, B))["changes"] == []


def test_what_is_secret_is_in_no_plan(host):
    (host / "etc").mkdir()
    (host / "etc/b").write_text("old password")
    answer = json.dumps(main.plan(request(B)))
    assert "two" not in answer
    assert "old password" not in answer


def test_a_host_that_changed_since_its_plan_is_left_alone(host):
    planned = main.plan(request(A))
    (host / "etc").mkdir()
    (host / "etc/a").write_text("by hand\n")
    answer = main.apply(request(A, expected=planned["fingerprint"]))
    assert answer["refused"] == "the host changed since it was planned"
    assert (host / "etc/a").read_text() == "by hand\n"


def test_two_edits_by_hand_are_two_plans(host):
    (host / "etc").mkdir()
    (host / "etc/b").write_text("x")
    first = main.plan(request(B))["fingerprint"]
    (host / "etc/b").write_text("y")
    assert main.plan(request(B))["fingerprint"] != first


@pytest.mark.parametrize("key", ["programme", "environment", "host"])
def test_a_host_of_another_is_not_touched(host, key):
    main.apply(request(A))
    other = {**IDENTITY, key: "other"}
    with pytest.raises(record.RefusedError, match="this machine is db of production"):
        main.plan(request(A) | {"identity": other})
    with pytest.raises(record.RefusedError):
        main.apply(request(B) | {"identity": other})
    assert not (host / "etc/b").exists()


def test_only_one_works_on_a_host_at_a_time(host):
    lock = host / "var/lib/fhirstack/lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("grace@desk, since then")
        held.flush()
        for work in (main.apply, main.plan):
            with pytest.raises(record.RefusedError, match="grace@desk"):
                work(request(A))
    assert main.apply(request(A))["error"] is None


def test_who_only_looks_lets_others_look_and_nobody_work(host):
    lock = host / "var/lib/fhirstack/lock"
    with record.at_rest():
        assert not lock.parent.exists()
    main.apply(request(A))
    with record.at_rest():
        assert main.plan(request(A))["changes"] == []
        with pytest.raises(record.RefusedError, match="is working on this host"):
            main.apply(request(A))


def test_a_failure_names_the_resource_and_what_was_done_stays(host):
    (host / "etc/b").mkdir(parents=True)
    answer = main.apply(request(A, B))
    assert answer["error"] == "file:/etc/b: a directory is there: remove it by hand"
    assert answer["done"] == ["file:/etc/a"]
    (host / "etc/b").rmdir()
    assert main.apply(request(A, B))["done"] == ["file:/etc/b"]


def test_every_apply_is_in_the_hosts_own_record(host):
    main.apply(request(A))
    main.apply(request(A))
    lines = (host / "var/lib/fhirstack/record.jsonl").read_text().splitlines()
    first, second = map(json.loads, lines)
    assert first["who"] == "ada@laptop"
    assert first["done"] == ["file:/etc/a"]
    assert second["changes"] == second["done"] == []


def test_what_may_lock_out_comes_last_and_is_armed(host, monkeypatch):
    guarded = File(path="/etc/sshd", content="x", guard=True)
    order = []
    monkeypatch.setattr(main, "say", order.append)
    monkeypatch.setattr(rollback, "run", lambda *words, **rest: order.append(words[0][1]))
    (host / "etc/systemd/system").mkdir(parents=True)
    answer = main.apply(request(guarded, A))
    assert order[:3] == ["file:/etc/a", "arming the rollback", "daemon-reload"]
    assert order[-2:] == ["file:/etc/sshd", "restart"]
    assert answer["unconfirmed"]
    assert rollback.pending() == "t"
    assert main.plan(request())["unconfirmed"]
    main.confirm({"token": "t"})
    assert rollback.pending() is None
    with pytest.raises(base.AgentError, match="already put back"):
        main.confirm({"token": "t"})


def test_a_stranger_in_an_exclusive_directory_goes_and_is_kept(host):
    keys = Directory(path="/etc/keys", exclusive="*", keep=("ada",))
    main.apply(request(keys))
    (host / "etc/keys/ada").write_text("a")
    (host / "etc/keys/mallory").write_text("m")
    answer = main.apply(request(keys))
    assert [change["address"] for change in answer["changes"]] == ["file:/etc/keys/mallory"]
    assert (host / "etc/keys/ada").exists()
    assert not (host / "etc/keys/mallory").exists()
    assert (host / "var/lib/fhirstack/removed/etc_keys_mallory").read_text() == "m"


def test_every_kind_that_can_be_declared_is_known():
    declared = {cls.kind for cls in resources.Resource.__subclasses__()}
    assert declared == base.Resource.kinds.keys()
    assert every.main is main.main


def test_the_agent_is_one_message_that_any_python_runs(tmp_path):
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", BOOT],
        input=message({"mode": "ports"}),
        capture_output=True,
        check=True,
        cwd=tmp_path,
    )
    answer = json.loads(done.stdout.splitlines()[-1])["answer"]
    assert isinstance(answer["ports"], list)
    unknown = subprocess.run(
        [sys.executable, "-I", "-c", BOOT],
        input=message(
            {"mode": "plan", "identity": IDENTITY, "resources": [{"kind": "x", "address": "x:1"}]}
        ),
        capture_output=True,
        check=True,
    )
    assert b"this agent knows no resource x" in unknown.stdout
