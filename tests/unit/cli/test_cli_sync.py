"""The commands' words for analytics: what is refused, with its remedy, before anything is done."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from fhirstack.checks.check import Check, Result
from fhirstack.cli import local
from fhirstack.cli import sync as command
from fhirstack.cli.main import application
from fhirstack.cli.verify import conclude
from fhirstack.errors import FhirstackError, UsageError
from fhirstack.model.local import local_environment
from fhirstack.page.results import Verdict
from fhirstack.planes.local import stack
from fhirstack.planes.local import sync as running
from fhirstack.planes.local import up as bringing
from fhirstack.planes.local.account import Account, make_directory
from fhirstack.planes.plane import Action, Change
from fhirstack.services import pipelines

OWN = Account("me", os.geteuid(), os.getegid())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FHIRSTACK_HOME", str(tmp_path))
    return tmp_path


def made(**options: bool) -> stack.Stack:
    found = replace(stack.new("one", 20000), **options)
    make_directory(found.root, OWN)
    stack.record(found, OWN)
    return found


def refused(*words: str) -> FhirstackError:
    error = CliRunner().invoke(application(), list(words)).exception
    assert isinstance(error, FhirstackError), error
    return error


def test_a_stack_without_analytics_has_nothing_to_carry(home: Path):
    made(analytics=False)
    error = refused("sync", "--name", "one")
    assert error.exit_code == 2
    assert "without analytics" in error.what
    assert "--with analytics" in error.remedy


def test_the_remedy_names_the_stack(home: Path):
    made(analytics=False)
    assert "--name one" in refused("sync", "--name", "one").remedy


def remedies(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What is said of a stack that is not well, by all commands that send a person to another."""
    check = Check("tls.names", "tls.issuer", "Names", lambda _: "")
    service = SimpleNamespace(
        name="edge", state="FATAL", ready=False, pid=None, restarts=0, memory=0
    )
    service.failing = False
    platform = SimpleNamespace(
        environment=local_environment("one", https_port=1, http_port=2),
        context=SimpleNamespace(artifacts={pipelines.PROGRAMS: "/nowhere"}),
        stack=made(),
    )
    monkeypatch.setattr(local, "open_platform", lambda _: platform)
    monkeypatch.setattr(local.observing, "observe", lambda _: [service])
    yield refused("status", "--name", "one").remedy
    for found in (
        bringing.Plan((), ("iam: Keycloak is not running",)),
        bringing.Plan((Change("local", "edge", Action.CREATE),), ()),
    ):
        monkeypatch.setattr(local.bringing, "plan", lambda _, found=found: found)
        yield refused("plan", "--name", "one").remedy
    with pytest.raises(FhirstackError) as failed:
        conclude("one", [Result(check, Verdict.FAILED, "", 0.0)], 1.0)
    yield failed.value.remedy
    with pytest.raises(FhirstackError) as missing:
        next(running.run(cast(Any, platform)))
    yield missing.value.remedy


def test_every_remedy_that_is_a_command_is_for_the_same_stack(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    seen = list(remedies(monkeypatch))
    assert len(seen) == 5
    for remedy in seen:
        for words in remedy.split(";"):
            assert "./fhirstack " in words
            assert words.endswith(" --name one")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("sync", "--name", "none"), "there is no stack none"),
        (("sync", "--format", "xml"), "no format xml"),
        (("status", "--format", "xml"), "no format xml"),
        (("plan", "--format", "xml"), "no format xml"),
        (("up", "--without", "superset"), "there is no part superset"),
        (("up", "--with", "everything"), "there is no part everything"),
        (("up", "--with", "analytics", "--without", "analytics"), "contradict"),
    ],
)
def test_wrong_usage_is_said(home: Path, words: tuple[str, ...], says: str):
    error = refused(*words)
    assert isinstance(error, UsageError)
    assert says in str(error)
    assert error.remedy or "contradict" in says
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("without", "added", "wanted"),
    [("", "", None), ("analytics", "", False), ("", "analytics", True)],
)
def test_what_is_asked_for(without: str, added: str, wanted: bool | None):
    assert local._analytics(without, added) is wanted


DONE = {
    "event": "done",
    "run": 7,
    "status": "ok",
    "error": None,
    "seconds": 1.5,
    "resources": 1200,
    "deleted": 1,
    "rejected": 0,
    "bytes": 2_000_000,
    "streams": {
        "patient": {"resources": 1200, "deleted": 1, "rejected": 0},
        "group": {"resources": 0, "deleted": 0, "rejected": 0},
    },
}


def test_a_run_is_told_with_its_tables(capsys: pytest.CaptureFixture[str]):
    tested = {"event": "transformed", "models": 3, "passed": 9, "failed": [], "warned": ["late"]}
    done = command._show([{"event": "phase", "phase": "load"}, tested, DONE])
    command._print(done)
    out = capsys.readouterr().out
    assert "patient" in out
    assert "1,200" in out
    assert "group" not in out
    assert "3 models made, 9 tests passed." in out
    assert "late" in out
    assert "Run 7: ok, 1,200 resources (2.0 MB) in 1.5 s." in out


def test_nothing_new_is_said(capsys: pytest.CaptureFixture[str]):
    command._print(command._show([{**DONE, "streams": {}, "resources": 0}]))
    assert "Nothing is new." in capsys.readouterr().out


def test_what_a_connector_warns_of_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]):
    log = {"event": "log", "who": "source", "level": "WARN", "message": "[bold]x[/bold] refused"}
    command._show([log, DONE])
    assert "source: [bold]x[/bold] refused" in capsys.readouterr().err
