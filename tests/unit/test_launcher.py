"""The launcher: standard library only, one command for an administrator, clear refusals."""

import ast
import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fhirstack.bundle import cache
from fhirstack.cli.main import COMMANDS

PATH = Path(__file__).resolve().parents[2] / "fhirstack"


@pytest.fixture
def launcher():
    loader = importlib.machinery.SourceFileLoader("launcher", str(PATH))
    spec = importlib.util.spec_from_loader("launcher", loader)
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def test_only_the_standard_library_is_used():
    tree = ast.parse(PATH.read_text())
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert names <= sys.stdlib_module_names


def test_who_may_not_install_gets_the_one_command(launcher, monkeypatch, capsys):
    packages = {"here": lambda: True, "maven": lambda: False, "haproxy": lambda: None}
    monkeypatch.setattr(launcher.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(launcher.shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(SystemExit) as ended:
        launcher.install_packages(packages, {})
    assert ended.value.code == 3
    said = capsys.readouterr().err
    assert "apt-get install --yes --no-install-recommends maven haproxy" in said
    assert "here" not in said.split("apt-get install")[1]


def test_without_apt_the_programs_are_named(launcher, monkeypatch, capsys):
    monkeypatch.setattr(launcher.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        launcher.install_packages({"maven": lambda: False}, {})
    assert ended.value.code == 3
    assert "maven" in capsys.readouterr().err


def test_nothing_is_installed_when_all_is_there(launcher, monkeypatch):
    monkeypatch.setattr(launcher.subprocess, "run", None)
    launcher.install_packages({"a": lambda: True}, {})


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        (["up"], {"maven", "haproxy"}),
        (["--python"], {"maven"}),
        (["plan"], {"maven"}),
        (["plan", "-e", "production"], {"openssh-client"}),
        (["apply", "-e", "production"], {"openssh-client"}),
        (["check"], set()),
        # Who only reads what there is needs nothing, and may not install anything.
        ([], set()),
        (["--help"], set()),
        (["up", "--help"], set()),
        (["apply", "--help"], set()),
        (["run", "-e", "production", "--", "ls", "--help"], {"openssh-client"}),
    ],
)
def test_a_command_needs_what_it_uses_alone(launcher, words, needed):
    packages, _ = launcher.needs(words)
    assert packages.keys() >= needed
    assert ("maven" in packages) == ("maven" in needed)


def test_every_command_of_the_launcher_is_one(launcher):
    known = {name for names in COMMANDS.values() for name in names}
    assert {*launcher.REMOTE, *launcher.OFFLINE} <= known


def test_an_old_python_is_refused(launcher, monkeypatch, capsys):
    monkeypatch.setattr(launcher.sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit) as ended:
        launcher.main()
    assert ended.value.code == 2
    assert "3.11" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("user", "environment"),
    [
        (0, {}),
        (0, {"XDG_CACHE_HOME": "/c"}),
        (1000, {}),
        (1000, {"XDG_CACHE_HOME": "/c"}),
        (1000, {"FHIRSTACK_CACHE": "/d"}),
    ],
)
def test_launcher_and_program_have_the_same_cache(launcher, monkeypatch, user, environment):
    for name in ("XDG_CACHE_HOME", "FHIRSTACK_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert launcher.cache_directory() == cache.cache_directory()


@pytest.mark.parametrize(
    ("variable", "place", "remedy"),
    [
        ("FHIRSTACK_CACHE", "/proc/self", "Set FHIRSTACK_CACHE to a directory"),
        ("FHIRSTACK_CACHE", "/proc/self/below", "Set FHIRSTACK_CACHE to a directory"),
        ("FHIRSTACK_CACHE", "/dev/null", "Set FHIRSTACK_CACHE to a directory"),
        ("FHIRSTACK_CACHE", "/dev/null/below", "Set FHIRSTACK_CACHE to a directory"),
        ("FHIRSTACK_REQUIREMENTS", "none.txt", "Set FHIRSTACK_REQUIREMENTS to one of: "),
    ],
)
def test_a_place_that_cannot_be_used_is_named_with_its_remedy(variable, place, remedy):
    done = subprocess.run(
        [sys.executable, str(PATH), "--python"],
        env={**os.environ, variable: place},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    first, second = done.stderr.rstrip("\n").split("\n")
    assert place in first
    assert remedy in second
