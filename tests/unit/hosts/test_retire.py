"""A host that leaves: what stops, what goes, what stays, and who can still come in."""

import json
import subprocess

import pytest
from tests.unit.hosts.desired_site import environment, resources
from tests.unit.hosts.desired_site import host as host_of

from fhirstack.model.host import Role
from fhirstack.planes.hosts import retire as controller
from fhirstack.planes.hosts.agent import base, every, record, retire, services

assert every
IDENTITY = {"programme": "p", "environment": "production", "host": "db"}


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host of ours with a secret, an administrator, data, and the keys of two."""
    monkeypatch.setattr(base, "ROOT", str(tmp_path))
    run = []

    def noted(command, **_):
        run.append(" ".join(command))
        if "show" in command:
            return subprocess.CompletedProcess(command, 0, "LoadState=loaded\n", "")
        return subprocess.CompletedProcess(command, 0, "", "")

    for module in (retire, services):
        monkeypatch.setattr(module, "run", noted)
    files = {
        "etc/passwd": "ann:x:1001:1001::/home/ann:/bin/sh\ntool:x:1000:1000::/home/tool:/bin/sh\n",
        "etc/shadow": "",
        "etc/group": "ann:x:1001:\ntool:x:1000:\n",
        "etc/secret.key": "s",
        "etc/keys/ann": "a",
        "etc/keys/tool": "t",
        "home/tool/.ssh/authorized_keys": "t",
        "var/lib/db/base/1": "rows",
        "var/lib/fhirstack/host.json": json.dumps(IDENTITY),
        "var/lib/fhirstack/record.jsonl": json.dumps({"identity": IDENTITY}) + "\n",
        "var/lib/fhirstack/started/x.json": "{}",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path, run


def asked(**rest):
    return {
        "identity": IDENTITY, "who": "ada", "look": False, "delete_data": False,
        "services": ["db.service"], "secrets": ["/etc/secret.key", "/etc/none.key"],
        "accounts": ["tool", "ann"], "user": "tool", "keys": "/etc/keys",
        "data": {"/var/lib/db": "databases", "/var/lib/none": "nothing"},
        **rest,
    }  # fmt: skip


def test_a_look_tells_all_and_changes_nothing(host):
    root, run = host
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    told = retire.answer(asked(look=True))
    assert told["services"] == ["db.service"]
    assert told["secrets"] == ["/etc/secret.key"]
    assert [one["path"] for one in told["data"]] == ["/var/lib/db"]
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert [line for line in run if "show" not in line] == []


def test_secrets_keys_and_the_environments_mark_go_and_data_stays(host):
    root, run = host
    assert retire.answer(asked())["errors"] == {}
    for path in (
        "etc/secret.key",
        "etc/keys/ann",
        "etc/keys/tool",
        "home/tool/.ssh/authorized_keys",
    ):
        assert not (root / path).exists(), path
    assert (root / "var/lib/db/base/1").read_text() == "rows"
    assert not (root / "var/lib/fhirstack/host.json").exists()
    assert record.owner() is None
    left = json.loads((root / "var/lib/fhirstack/retired.json").read_text())
    assert left["was"] == IDENTITY
    assert [one["what"] for one in left["left"]] == ["databases"]
    assert any("disable --now db.service" in line for line in run)
    assert any(line.startswith("usermod --lock") and line.endswith("ann") for line in run)


def test_data_goes_where_that_was_asked_for_and_its_directory_stays(host):
    root, _ = host
    assert retire.answer(asked(delete_data=True))["errors"] == {}
    assert list((root / "var/lib/db").iterdir()) == []


def test_where_something_fails_one_can_come_back_and_end_it(host):
    root, _ = host
    (root / "etc/secret.key").unlink()
    (root / "etc/secret.key").mkdir()
    told = retire.answer(asked())
    assert told["errors"].keys() == {"/etc/secret.key"}
    assert (root / "etc/keys/tool").exists()
    assert (root / "var/lib/fhirstack/host.json").exists()
    assert not (root / "etc/keys/ann").exists()


def test_a_host_of_another_is_not_touched(host):
    root, _ = host
    with pytest.raises(record.RefusedError):
        retire.answer(asked(identity={**IDENTITY, "environment": "staging"}))
    assert (root / "etc/secret.key").exists()


@pytest.mark.parametrize("role", [r for r in Role if r is not Role.LOAD_BALANCER])
def test_every_role_says_what_serves_and_where_its_data_lies(role):
    told = controller.request(environment(), host_of(role), resources(role).values())
    assert told["data"]
    assert not {"ssh.service", "nftables.service"} & set(told["services"])
    assert told["services"]
    if role is Role.DATABASE:
        assert "/etc/redis/users.acl" in told["secrets"]
        assert "redis-server.service" in told["services"]
