"""The order of an apply, and what one fault holds up."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fhirstack.planes.hosts.agent import aptlock, every, packages, problems, work
from fhirstack.planes.hosts.agent.base import AgentError, Resource, read
from fhirstack.planes.hosts.resources import File, Nftables, Package, Service

assert every


def loaded(*specs):
    return [Resource.kinds[spec.kind](spec.as_dict()) for spec in specs]


CHRONY = (
    Package(name="chrony"),
    File(path="/etc/chrony.conf", content=""),
    Service(name="chrony", watch=("package:chrony", "file:/etc/chrony.conf")),
)


def test_a_service_needs_what_it_reads_and_its_files_need_its_packages():
    found = work.needs(loaded(*CHRONY))
    assert found["file:/etc/chrony.conf"] == {"package:chrony"}
    assert found["service:chrony"] == {"package:chrony", "file:/etc/chrony.conf"}
    assert found["package:chrony"] == set()


def test_what_is_needed_is_followed_to_its_end():
    needed = {"c": {"b"}, "b": {"a"}, "x": {"y"}}
    assert work.closure({"c"}, needed) == {"a", "b", "c"}


APT = {
    "not known": "E: Unable to locate package chrony",
    "pinned": "Package chrony is not available, but is referred to by another package.\n"
    "E: Package 'chrony' has no installation candidate",
    "held": "The following packages have unmet dependencies:\n chrony : Depends: x but it is not"
    " going to be installed\nE: Unable to correct problems, you have held broken packages.",
    "broken": "dpkg: error processing archive /var/cache/apt/archives/chrony_4.6_amd64.deb (--"
    "unpack)",
    "does not start": "dpkg: error processing package chrony (--configure):",
}


@pytest.mark.parametrize("said", APT.values(), ids=APT)
def test_apts_words_name_the_package_that_is_the_trouble(said):
    error = f"`apt-get -y install chrony chrony-tools curl` ended with 100: {said}"
    assert packages._is_blamed("chrony", error)
    assert not packages._is_blamed("curl", error)
    assert not packages._is_blamed("chrony-tools", error)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("E: Release file for x is not valid yet (invalid for another 3h 2min)", "clock"),
        (APT["pinned"], "apt-cache policy"),
        (APT["held"], "showhold"),
        ("E: Something else", ""),
    ],
)
def test_the_cause_behind_apts_words_is_told(said, remedy):
    found = packages._cause(said)
    assert remedy in found
    assert bool(remedy) == bool(found)


def test_a_package_that_cannot_be_had_holds_up_no_other(monkeypatch):
    asked = []

    def install(some, tell):
        names = [package.spec["name"] for package in some]
        asked.append(names)
        for bad in ("chrony", "socat"):
            if bad in names:
                raise AgentError(f"`apt-get` ended with 100: E: Unable to locate package {bad}")

    monkeypatch.setattr(packages, "_install", install)
    some = loaded(*(Package(name=name) for name in ("chrony", "curl", "socat")))
    failed = packages._each(some, "install", str)
    assert failed.keys() == {"package:chrony", "package:socat"}
    assert asked == [["chrony", "curl", "socat"], ["curl", "socat"], ["curl"]]


def test_what_apt_does_not_name_stops_all_of_them(monkeypatch):
    def install(some, tell):
        raise AgentError("`apt-get` ended with 100: E: Could not resolve 'deb.test'")

    monkeypatch.setattr(packages, "_install", install)
    some = loaded(Package(name="chrony"), Package(name="curl"))
    assert packages._each(some, "install", str).keys() == {"package:chrony", "package:curl"}


HOLD = """
import fcntl, sys
with open(sys.argv[1], "w") as held:
    fcntl.lockf(held, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_who_holds_apts_lock_is_named_and_waited_for(tmp_path, monkeypatch):
    lock = tmp_path / "var/lib/dpkg/lock-frontend"
    lock.parent.mkdir(parents=True)
    monkeypatch.setattr("fhirstack.planes.hosts.agent.base.ROOT", str(tmp_path))
    lock.touch()
    assert aptlock.holder() is None
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "held\n"
        assert aptlock.holder() == process.pid
        told = []

        def tell(what):
            told.append(what)
            process.communicate("end\n")

        monkeypatch.setattr(aptlock, "named", str)
        aptlock.wait(tell)
    assert told == [f"waits for {process.pid}, which has apt"]
    assert aptlock.holder() is None


def test_a_holder_that_stands_still_is_named_with_what_to_do(monkeypatch):
    monkeypatch.setattr(aptlock, "holder", lambda: 1)
    monkeypatch.setattr(aptlock, "_STILL_SECONDS", 0)
    monkeypatch.setattr(aptlock, "_work", lambda process: 0)
    with pytest.raises(AgentError, match=r"apt is locked by .*\(process 1\)"):
        aptlock.wait(lambda what: None)


ODD = {
    "a directory": lambda path: path.mkdir(),
    "a named pipe": os.mkfifo,
    "bytes": lambda path: (path.touch(), os.truncate(path, 2**34)),
}


@pytest.mark.parametrize("words", ODD)
def test_what_is_no_file_of_usual_size_is_named_and_never_read(tmp_path, monkeypatch, words):
    monkeypatch.setattr("fhirstack.planes.hosts.agent.base.ROOT", str(tmp_path))
    ODD[words](tmp_path / "a")
    with pytest.raises(AgentError, match=words):
        read("/a")
    changes = loaded(File(path="/a", content="x\n"))[0].plan()
    assert [words in change.reason for change in changes] == [True]


def test_an_immutable_file_is_named_with_what_lets_it_be_changed(tmp_path):
    file = tmp_path / "a"
    file.touch()
    if subprocess.run(["chattr", "+i", str(file)], capture_output=True, check=False).returncode:
        pytest.skip("this file system has no attributes, or we may not set them")
    try:
        with pytest.raises(PermissionError) as raised:
            file.rename(tmp_path / "b")
        assert f"`chattr -i {file}`" in problems.words(raised.value)
    finally:
        subprocess.run(["chattr", "-i", str(file)], check=True)


def test_a_full_disk_and_one_that_is_read_only_are_named_by_where_they_are_mounted(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "a"))
    assert "bytes are left on" in problems.words(full)
    closed = OSError(errno.EROFS, "Read-only file system", "/proc/a")
    assert "`mount -o remount,rw /proc`" in problems.words(closed)


def test_a_firewall_needs_its_package_before_it():
    table = Nftables(table="t", ruleset="", needs=("package:nftables",))
    resources = loaded(Package(name="curl"), Package(name="nftables"), table)
    doing = work.Work(resources, "t", 60, lambda *words, **rest: True)
    assert doing._first() == {"package:nftables", "nftables:t"}


def test_what_a_packages_script_would_wait_for_is_gone_before_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("fhirstack.planes.hosts.agent.base.ROOT", str(tmp_path))
    monkeypatch.setattr(packages.Package, "apply_many", lambda some, tell: {})
    paths = {}
    for name, make in {"pipe": os.mkfifo, "directory": os.mkdir, "file": Path.touch}.items():
        paths[name] = tmp_path / name
        make(paths[name])
    resources = loaded(
        Package(name="chrony"), *(File(path=f"/{name}", content="x") for name in paths)
    )
    work.Work(resources, "t", 60, lambda *words, **rest: True)._install(resources[:1])
    assert [name for name, path in paths.items() if path.exists()] == ["directory", "file"]


def test_settings_of_the_kernel_are_read():
    # Larger reads than some megabytes are refused there, and nothing would be set at all.
    assert read("/proc/sys/kernel/hostname") == f"{os.uname().nodename}\n"
    assert read("/proc/sys/net/ipv4/ip_forward") in {"0\n", "1\n"}


def test_an_ending_of_lines_is_content(tmp_path, monkeypatch):
    monkeypatch.setattr("fhirstack.planes.hosts.agent.base.ROOT", str(tmp_path))
    (tmp_path / "a").write_bytes(b"x\r\n")
    assert [change.action for change in loaded(File(path="/a", content="x\n"))[0].plan()]
