"""Each kind of resource of the agent, by the cases of tests/cases/hosts: one file a kind.

A case has ``spec`` (what is not in it has the dataclass's default), ``host`` (``files``, and
``commands``: what programs answer when the agent looks), ``plan`` (the changes), ``apply`` (the
programs that change something, in their order) and ``after`` (files). Of several answers to one
command each is given once, the last one for good. After ``apply`` the plan must be empty, unless
the case says ``settles: false`` or ``error``. An answer ``code: 127`` is a program that is missing.
"""

import json
import os
import re
import shlex
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from fhirstack.planes.hosts import resources
from fhirstack.planes.hosts.agent import (
    accounts,
    base,
    clusters,
    exports,
    files,
    kernel,
    mounts,
    names,
    nftables,
    packages,
    postgresql,
    programs,
    resolvers,
    ruleset,
    silence,
    ssh_socket,
    storage,
    strangers,
    taken,
    ways,
)

CASES = Path(__file__).parents[2] / "cases" / "hosts"
KINDS = {cls.kind: cls for cls in resources.Resource.__subclasses__()}
MODULES = (
    programs,
    silence,
    ssh_socket,
    names,
    ruleset,
    strangers,
    ways,
    accounts,
    clusters,
    exports,
    files,
    kernel,
    mounts,
    nftables,
    packages,
    postgresql,
    resolvers,
    storage,
    taken,
)


class Host:
    """Stands for a host: a directory for its files, prepared answers for its programs."""

    def __init__(self, root: Path, answers: list[dict[str, Any]]) -> None:
        self.root = root
        self.answers = list(answers)
        self.doing: list[dict[str, Any]] = []
        self.owner = "root"

    def put(self, tree: dict[str, Any]) -> None:
        """Make files; each is its text, or a mapping; null is none."""
        for name, given in tree.items():
            path = self.root / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            item = given if isinstance(given, dict) else {"content": given}
            if "link" in item:
                path.symlink_to(item["link"])
            elif item.get("directory"):
                path.mkdir(exist_ok=True)
            elif item["content"] is None:
                path.unlink(missing_ok=True)
            else:
                path.write_text(item["content"])
            if "link" not in item and path.exists():
                path.chmod(int(item.get("mode", "0755" if path.is_dir() else "0644"), 8))

    def tree(self) -> dict[str, Any]:
        """Return all that is there: what a plan must not change."""
        return {
            str(path): (
                oct(path.lstat().st_mode),
                path.read_text() if stat.S_ISREG(path.lstat().st_mode) else None,
            )
            for path in sorted(self.root.rglob("*"))
        }

    def check(self, tree: dict[str, Any]) -> None:
        """Compare files: each with its text, a mapping of text and mode, or null for none."""
        for name, given in tree.items():
            path = self.root / name.lstrip("/")
            item = given if isinstance(given, dict) else {"content": given}
            if "content" in item:
                assert (path.read_text() if path.exists() else None) == item["content"], name
            if "mode" in item:
                assert f"{stat.S_IMODE(path.stat().st_mode):04o}" == item["mode"], name

    def run(self, command: list[str], input: str | None = None, **_: Any) -> Any:
        """Take the place of ``subprocess.run``; ``input`` tells commands apart by their text."""
        line = shlex.join(command).replace(str(self.root), "")
        line = re.sub(r"\.\w+\.fhirstack", ".COPY", line)
        expected = self.doing[0] if self.doing else {"run": ""}
        if expected["run"] == line and expected.get("text", "") in (input or ""):
            answer = self.doing.pop(0)
            assert "is" not in answer or answer["is"] == input
            self.check(answer.get("sees", {}))
            self.put(answer.get("writes", {}))
        else:
            fitting = [a for a in self.answers if line.startswith(a["run"])]
            if not fitting:
                pytest.fail(f"nobody expected `{line}`")
            answer = fitting[0]
            if len(fitting) > 1:
                self.answers.remove(answer)
        if answer.get("code") == 127:
            raise FileNotFoundError(command[0])
        code, out, err = answer.get("code", 0), answer.get("out", ""), answer.get("err", "")
        return subprocess.CompletedProcess(command, code, out, err)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return an empty host; every file belongs to root, or to the case's ``owner``."""
    host = Host(tmp_path, [])
    host.put({"/etc": {"directory": True}, "/usr/sbin": {"directory": True}})

    def owned(*_: Any) -> None:
        host.owner = "root"

    monkeypatch.setattr(base, "ROOT", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", host.run)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(os, "chown", owned)
    monkeypatch.setattr(os, "fchown", owned)
    monkeypatch.setattr(files, "owner_ids", lambda *_: (0, 0))
    monkeypatch.setattr(files, "_name", lambda *_: host.owner)
    packages.statuses.cache_clear()
    packages.update.cache_clear()
    return host


def made(kind: str, spec: dict[str, Any]) -> base.Resource:
    """Return the agent's resource, its specification carried as it is to a host."""
    return base.Resource.kinds[kind](json.loads(json.dumps(KINDS[kind](**spec).as_dict())))


def cases() -> list[Any]:
    """Return every case of every kind."""
    return [
        pytest.param(file.stem, case, id=f"{file.stem}: {case['name']}")
        for file in sorted(CASES.glob("*.yaml"))
        for case in yaml.safe_load(file.read_text())
    ]


def compare(found: list[base.Change], expected: list[dict[str, Any]], address: str) -> None:
    """Compare changes by what is expected of each; the address is the resource's by default."""
    told = [change.as_dict() for change in found]
    picked = [
        {key: change[key] for key in ("address", "action", *wanted)}
        for change, wanted in zip(told, expected, strict=False)
    ]
    assert len(told) == len(expected), told
    assert picked == [{"address": address, **wanted} for wanted in expected]


@pytest.mark.parametrize(("kind", "case"), cases())
def test_kind(kind: str, case: dict[str, Any], host: Host) -> None:
    resource = made(kind, case["spec"])
    resource.identity = case.get("identity", {})
    host.put(case.get("host", {}).get("files", {}))
    host.answers = list(case.get("host", {}).get("commands", []))
    host.owner = case.get("owner", "root")
    before = host.tree()
    if "plan_error" in case:
        with pytest.raises(base.AgentError, match=case["plan_error"]):
            resource.plan()
        return
    changes = resource.plan()
    assert host.tree() == before, "a plan changes nothing"
    compare(changes, case["plan"], resource.address)
    if any(change.action != "report" for change in changes):
        host.doing = [{"run": e} if isinstance(e, str) else e for e in case.get("apply", [])]
        if "error" in case:
            with pytest.raises(base.AgentError, match=case["error"]):
                resource.apply(changes)
        else:
            resource.apply(changes)
        assert host.doing == [], "not all that was expected was run"
    host.check(case.get("after", {}))
    if "error" not in case and case.get("settles", True):
        assert [c for c in resource.plan() if c.action != "report"] == []


def test_every_kind_has_cases() -> None:
    ours = {module.__name__ for module in MODULES}
    kinds = {kind for kind, cls in base.Resource.kinds.items() if cls.__module__ in ours}
    assert {file.stem for file in CASES.glob("*.yaml")} >= kinds


APT_GET = (
    "apt-get -q -y -o DPkg::Lock::Timeout=10 -o Dpkg::Use-Pty=0"
    " -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
)


def test_many_packages_take_one_call_for_each_thing_to_do(host: Host) -> None:
    host.put({"/var/lib/apt/lists/x_Packages": "", packages._UPDATED: ""})
    before = "a ii \nb rc \nc ii \nd un \ne hi \n"
    after = "a ii \nb ii \nc rc \nd ii \ne ii \nf ii \n"
    host.answers = [
        {"run": "dpkg-query", "out": before},
        {"run": "dpkg-query", "out": before},
        {"run": "dpkg-query", "out": before.replace("c ii", "c rc")},
        {"run": "dpkg-query", "out": after.replace("f ii \n", "")},
        {"run": "dpkg-query", "out": after},
    ]
    policy = {"/usr/sbin/policy-rc.d": {"content": packages._POLICY_TEXT, "mode": "0755"}}
    host.doing = [
        {"run": f"{APT_GET} remove c", "sees": policy},
        {"run": "apt-mark unhold e"},
        {"run": f"{APT_GET} install --no-install-recommends b d e", "sees": policy},
        {
            "run": f"{APT_GET} install --no-install-recommends f",
            "sees": {"/usr/sbin/policy-rc.d": None},
        },
    ]
    many = [
        made("package", {"name": name, "present": name != "c", "starts": name == "f"})
        for name in "abcdef"
    ]
    assert len([package for package in many if package.plan()]) == 5
    packages.Package.apply_many(many)  # type: ignore[arg-type]
    assert host.doing == []
    assert [package for package in many if package.plan()] == []


def test_nftables_undoing_puts_back_what_was_loaded(host: Host) -> None:
    table = made("nftables", {"table": "ours", "ruleset": "table inet ours {}"})
    host.answers = [{"run": "nft", "out": "table inet ours {\n\tchain old {\n\t}\n}\n"}]
    assert table.undo() == [
        "printf %s 'table inet ours {}\ndelete table inet ours\n"
        "table inet ours {\n\tchain old {\n\t}\n}\n' | nft -f -"
    ]
    host.answers = [{"run": "nft", "code": 1, "err": "Error: No such file or directory"}]
    assert table.undo() == ["printf %s 'table inet ours {}\ndelete table inet ours\n\n' | nft -f -"]


def test_logins_guards_the_files_of_accounts(host: Host) -> None:
    guarded = made("logins", {"allowed": []}).guarded_paths()
    assert guarded == ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"]
