"""What people and programs get: JSON, the page, the table."""

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.unit.preflight.scene import seen
from typer.testing import CliRunner

from fhirstack import __version__
from fhirstack.checks.preflight import report
from fhirstack.checks.preflight.facts import Seen
from fhirstack.checks.preflight.registry import run
from fhirstack.cli import preflight as command
from fhirstack.cli.main import application
from fhirstack.errors import ExitCode, UsageError
from fhirstack.model.template import site_template

AT = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
NASTY = "<script>alert(1)</script>\"'&"
BAD: dict[str, Any] = {
    "change": {
        "production-worker-1": {"memory": 4 * 10**9, "kernel": "4.4.0"},
        "production-worker-2": {"swap": ["/swap.img"]},
    },
    "reached": {
        "production-db": {"stage": "ssh", "reason": "Connection timed out", "remedy": "open 22"}
    },
    "all": {"synchronised": False, "time_services": []},
}


class _Tags(HTMLParser):
    """Collects tags, and text outside of the style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def _page(of: Seen) -> str:
    return report.as_html(of, run(of), "Child health", AT)


def test_what_is_wrong_stands_first_and_by_host() -> None:
    of = seen(BAD)
    titles = [block.title for block in report.blocks(of, run(of))]
    assert titles == [
        "production-db",
        "production as a whole",
        "production-worker-1",
        "On every host that answered (10)",
        "production-worker-2",
    ]
    page = _page(of)
    order = [page.index(word) for word in ("Not ready", "Connection timed out", "The machines")]
    assert order == sorted(order)
    assert page.count("the kernel says that its clock is not synchronised") == 1
    assert "give the machine 32 GB of memory" in page
    assert "open 22" in page


def test_the_page_stands_alone() -> None:
    found = _Tags(_page(seen(BAD)))
    assert not {"script", "link", "img", "iframe", "object"} & set(found.tags)
    assert [value for name, value in found.attributes if name in ("src", "href")] == []
    assert "url(" not in _page(seen(BAD))
    assert found.tags.count("article") == 5


def test_a_page_on_which_all_is_well() -> None:
    page = _page(seen({}))
    assert "Ready to be set up." in page
    assert "What is wrong" not in page
    warned = _page(seen({"all": {"synchronised": False}}))
    assert "Ready to be set up." in warned
    assert "accepted by the site, is not met in 11 places" in warned


@pytest.mark.parametrize("host", ["production-lb", "production-worker-1"])
def test_the_page_escapes_what_hosts_say(host: str) -> None:
    change = {
        "os": {"id": NASTY, "version": NASTY, "name": NASTY},
        "kernel": NASTY,
        "machine_id": NASTY,
        "virtualisation": NASTY,
        "architecture": NASTY,
        "addresses": [NASTY],
        "swap": [NASTY],
        "disks": {NASTY: 1},
        "time_services": [NASTY],
        "names": {"fhir.opensrp.example.org": {"error": NASTY}},
        "repositories": {f"http://{NASTY}/": {"error": NASTY}},
        "urls": {f"https://{NASTY}/": {"error": NASTY}},
        "listening": [
            {"protocol": "tcp", "port": port, "addresses": [NASTY], "program": NASTY, "pid": 1}
            for port in (80, 10250)
        ],
    }
    reached = {"production-db": {"stage": "ssh", "reason": NASTY, "remedy": NASTY}}
    of = seen({"change": {host: change}, "reached": reached})
    page = report.as_html(of, run(of), NASTY, AT)
    assert "<script" not in page
    assert "alert(1)" in page
    assert "script" not in _Tags(page).tags
    assert not re.search(r"&(?!\w+;|#\d+;)", page)


def test_json_has_every_result_and_what_was_found() -> None:
    of = seen(BAD)
    results = run(of)
    found = json.loads(report.as_json(of, results, AT))
    assert found["environment"] == "production"
    assert found["at"] == "2026-05-04T12:30:00+00:00"
    assert len(found["results"]) == len(results)
    hosts = {host["name"]: host for host in found["hosts"]}
    assert len(hosts) == 11
    assert hosts["production-db"]["facts"] is None
    assert hosts["production-db"]["reason"] == "Connection timed out"
    assert hosts["production-worker-1"]["facts"]["memory"] == 4 * 10**9
    memory = next(
        item
        for item in found["results"]
        if (item["requirement"], item["host"]) == ("host.worker.memory", "production-worker-1")
    )
    assert memory["verdict"] == "failed"
    assert memory["remedy"] == "give the machine 32 GB of memory"
    assert memory["sentence"] == "32 GB RAM"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(site_template(), encoding="utf-8")
    return path


def _run(monkeypatch: pytest.MonkeyPatch, case: dict[str, Any], *words: str) -> tuple[int, str]:
    monkeypatch.setattr(command, "gather", lambda *_: seen(case))
    done = CliRunner().invoke(application(), ["preflight", *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def test_the_table_is_for_people(monkeypatch: pytest.MonkeyPatch, site: Path) -> None:
    code, text = _run(monkeypatch, BAD, "-f", str(site), "-e", "production")
    assert code == ExitCode.UNREACHABLE
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "production-db" in text
    assert "Connection timed out" in text
    assert "→ give the machine 32 GB of memory" in text
    assert "10 of 11 hosts answered" in " ".join(text.split())


@pytest.mark.parametrize(
    ("case", "code"),
    [({}, 0), ({"change": {"production-lb": {"cores": 1}}}, 1), (BAD, 3)],
    ids=["well", "failed", "unreached"],
)
def test_exit_codes(
    monkeypatch: pytest.MonkeyPatch, site: Path, case: dict[str, Any], code: int
) -> None:
    for format in command.Format:
        words = ("-f", str(site), "-e", "production", "--format", format)
        assert _run(monkeypatch, case, *words)[0] == code


def test_a_page_is_written_to_a_file(monkeypatch: pytest.MonkeyPatch, site: Path) -> None:
    output = site.with_name("page.html")
    words = ("-f", str(site), "-e", "production", "--format", "html", "--output", str(output))
    code, text = _run(monkeypatch, {}, *words)
    assert (code, text) == (0, "")
    assert output.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_host_that_is_not_there(monkeypatch: pytest.MonkeyPatch, site: Path) -> None:
    with pytest.raises(UsageError, match="no host worker-9"):
        _run(monkeypatch, {}, "-f", str(site), "-e", "production", "--host", "worker-9")
    with pytest.raises(UsageError, match="no environment prod"):
        _run(monkeypatch, {}, "-f", str(site), "-e", "prod")


@pytest.mark.parametrize(("case", "ready"), [(BAD, False), ({}, True)], ids=["bad", "good"])
def test_a_headline_fits_what_follows(case: dict[str, Any], ready: bool) -> None:
    text = " ".join(_Tags(_page(seen(case))).text.split())
    assert f"Written by fhirstack {__version__} for Child health" in text
    assert "“The page” is OpenSRP's page “Infrastructure setup”" in text
    assert ("Not ready to be set up" in text) is not ready
    assert ("What is wrong, and what to do" in text) is not ready


def test_what_the_site_accepts_is_not_asked_for() -> None:
    accepted = {"requirement": "host.os.ubuntu", "reason": "we have Debian"}
    case = {
        "site": {"deviations": [accepted]},
        "all": {"os": {"id": "debian", "version": "13", "name": "Debian 13"}},
    }
    text = " ".join(_Tags(_page(seen(case))).text.split())
    assert "Accepted: we have Debian" in text
    place = text.index("Accepted: we have Debian")
    assert text[place:].startswith("Accepted: we have Debian The page asks for:")
    assert "What is not as recommended, or is accepted by the site" in text
