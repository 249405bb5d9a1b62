"""What makes a unit of systemd another, on a disk of a few files: found, judged, put away."""

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fhirstack.planes.hosts.agent import base, services, units
from fhirstack.planes.hosts.resources import Service
from fhirstack.planes.hosts.resources import Units as Declared

UNIT = "[Service]\nExecStart=/usr/sbin/sshd -D\n"
EVIL = "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -f /etc/ssh/evil.conf\n"
OWN = "/etc/systemd/system/ssh.service.d/60-fhirstack.conf"


class Host:
    """A host's disk with openssh-server's unit, and the commands that the agent ran."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[list[str]] = []
        self.put("/usr/lib/systemd/system/ssh.service", UNIT)
        self.put("/usr/lib/systemd/system/postgresql@.service", UNIT)
        self.put("/usr/lib/systemd/system/apt-daily.timer", UNIT)
        digest = hashlib.md5(UNIT.encode(), usedforsecurity=False).hexdigest()
        for package, names in {
            "openssh-server": ["ssh.service"],
            "postgresql-common": ["postgresql@.service"],
            "apt": ["apt-daily.timer"],
        }.items():
            lines = [f"{digest}  usr/lib/systemd/system/{name}\n" for name in names]
            self.put(f"/var/lib/dpkg/info/{package}.md5sums", "".join(lines))

    def put(self, path: str, text: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def link(self, path: str, target: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def run(self, command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        self.calls.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(base, "ROOT", str(tmp_path))
    made = Host(tmp_path)
    monkeypatch.setattr(units, "run", made.run)
    return made


def found(unit: str = "ssh.service", *aliases: str) -> dict[str, str]:
    """Return the paths that are told, each with its action."""
    strangers = units.Disk().strangers(unit, [*aliases], {f"file:{OWN}": "x"}, [])
    return {s.path: s.change.action for s in strangers}


# Where the file is put, its text, the unit, and what is done to it.
STRANGERS = {
    "a drop-in in /etc": (
        "/etc/systemd/system/ssh.service.d/x.conf", EVIL, "ssh.service", "delete"),
    "one of `systemctl edit --runtime`": (
        "/run/systemd/system/ssh.service.d/override.conf", EVIL, "ssh.service", "delete"),
    "one of `systemctl set-property`": (
        "/etc/systemd/system.control/ssh.service.d/50-IPAddressDeny.conf",
        "[Service]\nIPAddressDeny=any\n", "ssh.service", "delete"),
    "one of set-property --runtime": (
        "/run/systemd/system.control/ssh.service.d/x.conf", EVIL, "ssh.service", "delete"),
    "one in /usr/local": (
        "/usr/local/lib/systemd/system/ssh.service.d/x.conf", EVIL, "ssh.service", "delete"),
    "one beside the package's unit": (
        "/usr/lib/systemd/system/ssh.service.d/x.conf", EVIL, "ssh.service", "delete"),
    "one for all services": ("/etc/systemd/system/service.d/x.conf", EVIL, "ssh.service", "delete"),
    "one by the name's beginning": (
        "/etc/systemd/system/apt-.timer.d/x.conf", "[Timer]\nOnCalendar=\n", "apt-daily.timer",
        "delete"),
    "one of the template": (
        "/etc/systemd/system/postgresql@.service.d/x.conf", EVIL, "postgresql@17-main.service",
        "delete"),
    "one of the instance": (
        "/etc/systemd/system/postgresql@17-main.service.d/x.conf", EVIL,
        "postgresql@17-main.service", "delete"),
    "one that says when it does not start": (
        "/etc/systemd/system/ssh.service.d/x.conf", "[Unit]\nConditionPathExists=/nowhere\n",
        "ssh.service", "delete"),
    "one that another service ends": (
        "/etc/systemd/system/ssh.service.d/x.conf", "[Unit]\nConflicts=cron.service\n",
        "ssh.service", "delete"),
    "an environment file by a drop-in": (
        "/etc/systemd/system/ssh.service.d/x.conf", "[Service]\nEnvironmentFile=/opt/e\n",
        "ssh.service", "delete"),
    "a unit that shadows the package's": (
        "/etc/systemd/system/ssh.service", EVIL, "ssh.service", "delete"),
    "one until the next boot": ("/run/systemd/system/ssh.service", EVIL, "ssh.service", "delete"),
    "a template that shadows": (
        "/etc/systemd/system/postgresql@.service", EVIL, "postgresql@17-main.service", "delete"),
    "the package's own, edited": (
        "/usr/lib/systemd/system/ssh.service", EVIL, "ssh.service", "update"),
    "limits alone": (
        "/etc/systemd/system/ssh.service.d/x.conf",
        "# ours\n[Service]\nLimitNOFILE=65536\nNice=-5\n", "ssh.service", "report"),
    "limits, and more behind them": (
        "/etc/systemd/system/ssh.service.d/x.conf",
        "[Service]\nNice=-5\nExecStartPost=/opt/x\n", "ssh.service", "delete"),
}  # fmt: skip


@pytest.mark.parametrize("case", STRANGERS)
def test_what_makes_a_unit_another_is_found_by_its_path(host: Host, case: str) -> None:
    path, text, unit, action = STRANGERS[case]
    assert found(unit) == {}
    host.put(path, text)
    assert found(unit) == {path: action}


def test_a_drop_in_of_an_alias_is_the_units(host: Host) -> None:
    host.put("/etc/systemd/system/sshd.service.d/x.conf", EVIL)
    assert found() == {}
    assert found("ssh.service", "sshd.service") == {
        "/etc/systemd/system/sshd.service.d/x.conf": "delete"
    }


def test_a_link_to_anothers_unit_is_foreign_and_to_the_packages_is_not(host: Host) -> None:
    path = "/etc/systemd/system/ssh.service"
    host.link(path, "/usr/lib/systemd/system/ssh.service")
    assert found() == {}
    (host.root / path[1:]).unlink()
    host.link(path, "/opt/evil.service")
    assert found() == {path: "delete"}


def test_what_is_declared_and_what_packages_bring_is_no_stranger(host: Host) -> None:
    host.put(OWN, EVIL)
    shipped = "/usr/lib/systemd/system/ssh.service.d/lab.conf"
    host.put(shipped, EVIL)
    digest = hashlib.md5(EVIL.encode(), usedforsecurity=False).hexdigest()
    host.put("/var/lib/dpkg/info/some.md5sums", f"{digest}  {shipped[1:]}\n")
    # A generator makes what it makes at each boot, and at each reload.
    host.put("/run/systemd/generator/ssh.service.d/order.conf", EVIL)
    assert found() == {}
    host.put(shipped, EVIL + "# edited\n")
    assert found() == {shipped: "delete"}


def boot(host: Host) -> units.Units:
    names = ("ssh.service", "multi-user.target")
    return units.Units(Declared(name="boot", units=names, boot=True).as_dict())


BOOT = {
    "another default target": (
        "/etc/systemd/system/default.target", "/usr/lib/systemd/system/rescue.target", "delete"),
    "a masked unit": ("/etc/systemd/system/ssh.service", "/dev/null", "delete"),
    "one masked until the next boot": ("/run/systemd/system/ssh.service", "/dev/null", "delete"),
    "a generator": ("/etc/systemd/system-generators/x", "/opt/x", "delete"),
    "one of the environment": (
        "/usr/local/lib/systemd/system-environment-generators/x", "/opt/x", "delete"),
    "a package's generator that is off": (
        "/etc/systemd/system-generators/systemd-gpt-auto-generator", "/dev/null", "report"),
}  # fmt: skip


@pytest.mark.parametrize("case", BOOT)
def test_what_decides_otherwise_what_a_boot_starts_is_told(host: Host, case: str) -> None:
    path, target, action = BOOT[case]
    resource = boot(host)
    host.link("/etc/systemd/system/default.target", "/usr/lib/systemd/system/graphical.target")
    assert resource.plan() == []
    (host.root / path[1:]).unlink(missing_ok=True)
    host.link(path, target)
    assert [(c.address, c.action) for c in resource.plan()] == [(f"file:{path}", action)]


MANAGER = {
    "a library for all units": (
        "/etc/systemd/system.conf.d/x.conf", "DefaultEnvironment=A=1 LD_PRELOAD=/x.so", True),
    "in two lines": (
        "/run/systemd/system.conf.d/x.conf", "DefaultEnvironment=A=1 \\\n LD_AUDIT=/x.so", True),
    "systemd's own": ("/etc/systemd/system.conf", "ManagerEnvironment=LD_LIBRARY_PATH=/x", True),
    "a proxy": (
        "/etc/systemd/system.conf.d/x.conf", "DefaultEnvironment=HTTP_PROXY=http://p:1", False),
    "a limit, and a word": (
        "/etc/systemd/system.conf", "#DefaultEnvironment=LD_PRELOAD=\nDefaultLimitNOFILE=9", False),
}  # fmt: skip


@pytest.mark.parametrize("case", MANAGER)
def test_libraries_that_systemd_gives_to_all_units_are_told(host: Host, case: str) -> None:
    path, line, told = MANAGER[case]
    host.put(path, f"[Manager]\n{line}\n")
    found = [(c.address, c.action) for c in boot(host).plan()]
    assert found == ([(f"file:{path}", "delete")] if told else [])


def test_what_is_foreign_is_kept_elsewhere_and_systemd_reads_its_files_again(host: Host) -> None:
    path = "/etc/systemd/system/multi-user.target.d/x.conf"
    host.put(path, "[Unit]\nConflicts=nftables.service\n")
    limits = "/etc/systemd/system/ssh.service.d/limits.conf"
    host.put(limits, "[Service]\nNice=1\n")
    resource = boot(host)
    resource.apply(resource.plan())
    assert [change.action for change in resource.plan()] == ["report"]
    kept = host.root / "var/lib/fhirstack/removed/etc_systemd_system_multi-user.target.d_x.conf"
    assert "Conflicts" in kept.read_text()
    assert host.calls == [["systemctl", "daemon-reload"]]


def test_a_packages_unit_that_was_edited_is_installed_again(host: Host) -> None:
    host.put("/usr/lib/systemd/system/ssh.service", EVIL)
    resource = boot(host)
    resource.apply(resource.plan())
    assert host.calls[0][-3:] == ["install", "--reinstall", "openssh-server"]
    assert (host.root / "usr/lib/systemd/system/ssh.service").exists()


# ---- a process that is older than what it reads


def running(
    monkeypatch: pytest.MonkeyPatch, started: float, told: float, **spec: Any
) -> services.Service:
    """Return a unit whose process started, and whose state changed, at times of the clock."""
    resource = services.Service(Service(name="ssh", **spec).as_dict())
    monkeypatch.setattr(services.time, "monotonic", lambda: 1000.0)
    monkeypatch.setattr(services.time, "time", lambda: 100_000.0)
    resource.seen = {
        "LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "MainPID": "9",
        "ExecMainStartTimestampMonotonic": f"{(started - 99_000) * 1e6:.0f}",
        "StateChangeTimestampMonotonic": f"{(told - 99_000) * 1e6:.0f}",
    }  # fmt: skip
    resource.take_note("watch", "reload_watch")
    return resource


# When the process started, when it was last told to read, when the inode changed; what is done.
AGES = {
    "changed before it started": ("watch", 99_500, 99_500, 99_400, []),
    "changed, read and put back": ("watch", 99_500, 99_500, 99_600, ["restart"]),
    "a reload does not read it": ("watch", 99_500, 99_700, 99_600, ["restart"]),
    "reloaded since": ("reload_watch", 99_500, 99_700, 99_600, []),
    "reloaded, and put back then": ("reload_watch", 99_500, 99_700, 99_800, ["update"]),
    "put back within the kernel's tick": ("reload_watch", 99_500, 99_700, 99_699.997, ["update"]),
    "changed well before": ("reload_watch", 99_500, 99_700, 99_699.99, []),
    "of before a boot": ("reload_watch", 99_010, 99_010, 50_000, []),
    "ahead, since the clock was set back": ("watch", 99_500, 99_500, 100_500, []),
}


@pytest.mark.parametrize("case", AGES)
def test_a_process_that_is_older_than_what_it_reads_is_told(
    host: Host, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    key, started, told, changed, actions = AGES[case]
    monkeypatch.setattr(services, "_changed", lambda path: changed if path == "/etc/x" else 0)
    resource = running(monkeypatch, started, told, **{key: ("file:/etc/x",)})
    assert [change.action for change in resource.plan()] == actions


def test_the_inodes_time_counts_and_not_the_one_that_can_be_set(host: Host) -> None:
    host.put("/etc/x", "put back")
    os.utime(host.root / "etc/x", (1, 1))
    assert services._changed("/etc/x") > 1
    assert services._changed("/etc/none") == 0


def test_a_process_with_a_foreign_drop_in_is_restarted_and_rules_that_are_loaded_are_not(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.put("/etc/systemd/system/ssh.service.d/x.conf", EVIL)
    resource = running(monkeypatch, 99_500, 99_500)
    assert [change.action for change in resource.plan()] == ["delete", "restart"]
    assert resource.seen is not None
    resource.seen["MainPID"] = "0"
    assert [change.action for change in resource.plan()] == ["delete"]
