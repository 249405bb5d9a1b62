"""The agent's main loop: what is planned is what is done, on one host at a time."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fhirstack.planes.hosts import resources
from fhirstack.planes.hosts.agent import base, every, files, main, record, rollback
from fhirstack.planes.hosts.program import BOOT, message
from fhirstack.planes.hosts.resources import Block, Directory, File

IDENTITY = {"programme": "p", "environment": "production", "host": "db"}


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "ROOT", str(tmp_path))
    monkeypatch.setattr(files, "owner_ids", lambda owner, group: (-1, -1))
    monkeypatch.setattr(files, "_name", lambda look_up, number: "root")
    monkeypatch.setattr(record, "LOCK_SECONDS", 0)
    monkeypatch.setattr(main, "say", lambda doing, confirm=False: True)
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
    assert applied["errors"] == {}
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


MARK, RECORD = "var/lib/fhirstack/host.json", "var/lib/fhirstack/record.jsonl"


@pytest.mark.parametrize("broken", [None, "", "{", "[]", '{"host": "db"}'])
def test_without_its_mark_a_host_is_still_not_anothers(host, broken):
    main.apply(request(A))
    (host / MARK).unlink() if broken is None else (host / MARK).write_text(broken)
    other = {**IDENTITY, "environment": "staging"}
    for work in (main.plan, main.apply):
        with pytest.raises(record.RefusedError, match=r"db of production.*rm -f .*record.jsonl"):
            work(request(B) | {"identity": other})
    planned = main.plan(request(A))
    assert [change["address"] for change in planned["changes"]] == ["mark"]
    applied = main.apply(request(A, expected=planned["fingerprint"]))
    assert (applied["done"], applied["errors"]) == (["mark"], {})
    assert json.loads((host / MARK).read_text()) == IDENTITY
    assert main.plan(request(A))["changes"] == []


def test_where_nothing_tells_whose_a_host_is_nobody_takes_it(host):
    main.apply(request(A))
    (host / MARK).unlink()
    (host / RECORD).write_text('{"who": "ada"}\n')
    for work in (main.plan, main.apply):
        with pytest.raises(base.AgentError, match=r"host.json.* is gone.*rm -f"):
            work(request(A))
    (host / RECORD).unlink()
    assert main.apply(request(A))["errors"] == {}


def test_a_host_of_a_new_name_is_told_as_that(host):
    main.apply(request(A))
    with pytest.raises(record.RefusedError, match="it is db-2 from now on, with what lies on it"):
        main.plan(request(A) | {"identity": {**IDENTITY, "host": "db-2"}})


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
    assert main.apply(request(A))["errors"] == {}


def test_who_waits_is_told_what_the_other_is_at(host):
    with record.locked("grace@desk") as at_work:
        at_work("packages: chrony")
        with pytest.raises(record.RefusedError, match=r"grace@desk, since .*, now at packages"):
            main.plan(request(A))
        at_work("file:/etc/b")
        with pytest.raises(record.RefusedError, match="now at file:/etc/b, is working"):
            main.apply(request(A))


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
    assert answer["errors"] == {"file:/etc/b": "a directory is there: remove it by hand"}
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


GUARDED = File(path="/etc/sshd", content="x", guard=True)


@pytest.fixture
def armed(host, monkeypatch):
    """A host whose systemd is only noted; returns what was said and run, in order."""
    order = []

    def say(doing, confirm=False):
        order.append("confirm?" if confirm else doing)
        if confirm:
            main.confirm({"token": "t"})
        return True

    def run(words, **rest):
        if words[0] != "cp":
            order.append(words[1])
            return None
        return base.run(words, **rest)

    monkeypatch.setattr(main, "say", say)
    monkeypatch.setattr(rollback, "run", run)
    (host / "etc/systemd/system").mkdir(parents=True)
    return order


def test_what_may_lock_out_comes_first_and_is_confirmed_before_the_rest(host, armed):
    answer = main.apply(request(A, GUARDED))
    assert armed[:2] == ["arming the rollback", "daemon-reload"]
    assert armed.index("file:/etc/sshd") < armed.index("confirm?") < armed.index("file:/etc/a")
    assert answer["done"] == ["file:/etc/sshd", "file:/etc/a"]
    assert answer["errors"] == {}
    assert rollback.pending() is None
    with pytest.raises(base.AgentError, match="already put back"):
        main.confirm({"token": "t"})


def test_where_nobody_comes_back_in_nothing_else_is_begun(host, armed, monkeypatch):
    (host / "etc/sshd").write_text("before\n")
    # The timer of systemd, whose place this takes, runs the same program.
    monkeypatch.setattr(main, "say", lambda doing, confirm=False: not confirm or times_out(host))
    answer = main.apply(request(A, GUARDED))
    assert answer["errors"].keys() == {"confirmation"}
    assert "nobody came back in" in answer["errors"]["confirmation"]
    assert not (host / "etc/a").exists()
    assert rollback.pending() is None


def times_out(host):
    (host / "var/lib/fhirstack/rollback").rename(host / "var/lib/fhirstack/rollback.undoing")
    shutil.rmtree(host / "var/lib/fhirstack/rollback.undoing")
    return True


def test_where_the_controller_is_gone_the_host_does_not_wait_for_it(host, armed, monkeypatch):
    undone = []
    monkeypatch.setattr(main, "say", lambda doing, confirm=False: not confirm)
    monkeypatch.setattr(rollback, "undo", lambda: undone.append(True) or times_out(host))
    answer = main.apply(request(A, GUARDED))
    assert undone == [True]
    assert answer["errors"].keys() == {"confirmation"}
    assert not (host / "etc/a").exists()


def test_an_unconfirmed_change_is_told_and_can_be_put_back_at_once(host, armed, monkeypatch):
    rollback.arm([], [], "old", 60)
    assert main.plan(request())["unconfirmed"]
    monkeypatch.setattr(rollback, "undo", lambda: times_out(host))
    assert main.undo(request())["undone"]
    assert not main.plan(request())["unconfirmed"]


def test_a_fault_holds_up_what_needs_it_and_nothing_else(host, armed):
    (host / "etc/b").mkdir(parents=True)
    C = File(path="/etc/c", content="c", needs=("file:/etc/b",))  # noqa: N806 - as A and B
    D = File(path="/etc/d", content="d", needs=("file:/etc/c",))  # noqa: N806
    answer = main.apply(request(B, C, D, A, GUARDED))
    assert answer["errors"].keys() == {"file:/etc/b"}
    assert answer["waiting"] == {"file:/etc/c": "file:/etc/b", "file:/etc/d": "file:/etc/b"}
    assert answer["done"] == ["file:/etc/sshd", "file:/etc/a"]
    assert not (host / "etc/c").exists()


def test_what_cannot_be_looked_at_is_told_and_the_rest_is_planned_and_done(host):
    (host / "etc").mkdir()
    (host / "etc/hosts").write_text("")
    os.truncate(host / "etc/hosts", 2**40)
    block = Block(path="/etc/hosts", content="10.0.0.1 db\n")
    planned = main.plan(request(block, A))
    assert "1,099,511,627,776 bytes" in planned["errors"]["block:/etc/hosts"]
    assert [change["address"] for change in planned["changes"]] == ["file:/etc/a"]
    answer = main.apply(request(block, A, expected=planned["fingerprint"]))
    assert answer["done"] == ["file:/etc/a"]
    assert answer["errors"].keys() == {"block:/etc/hosts"}


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
    assert declared == base.Resource.kinds.keys() - {main.MARK["kind"]}
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


SLOW = ("ssl", "http.client", "urllib.request", "email", "difflib", "dataclasses", "tempfile")


def test_a_look_imports_nothing_that_takes_longer_than_the_look():
    code = "import sys; from fhirstack.planes.hosts.agent import every; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(main.__file__).parents[4])},
    )
    assert not set(SLOW) & set(done.stdout.split())
