"""The commands on the site file, and the forms of what they print."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from fhirstack.cli.site import register
from fhirstack.errors import SiteError, UnreachableError, UsageError
from fhirstack.model.load import load_site
from fhirstack.model.template import site_template
from fhirstack.page.requirements import requirements

APP = typer.Typer()
register(APP)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(APP, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


def test_init_writes_a_site_and_never_over_another() -> None:
    _run("init")
    path = Path("site.yaml")
    assert path.read_text(encoding="utf-8") == site_template()
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="the file exists"):
        _run("init")
    assert path.read_text(encoding="utf-8") == "mine"
    _run("init", "--force")
    assert list(load_site(path).environments) == ["staging", "preview", "production"]
    assert [item.name for item in Path().iterdir()] == ["site.yaml"]


def test_init_where_nothing_can_be_written() -> None:
    with pytest.raises(UsageError, match="a directory"):
        _run("init", "--output", ".")
    with pytest.raises(UnreachableError, match="cannot be written: No such file"):
        _run("init", "--output", "nowhere/site.yaml")


def test_check_prints_what_a_person_has_to_look_at() -> None:
    _run("init")
    text = _run("check")
    assert "network.example-" in text
    assert "host.worker" not in text
    assert "host.worker" in _run("check", "--all")
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "\x1b" not in text
    assert re.search(r"355 ok, 3 warning, \d+ skipped", " ".join(text.split()))
    assert "--all shows the rest" in text


def test_check_tells_the_shell() -> None:
    _run("init")
    _run("check", "--strict", code=1)
    path = Path("site.yaml")
    path.write_text(path.read_text("utf-8").replace("cpu: 8", "cpu: 2"), encoding="utf-8")
    assert "host.worker.cpu" in _run("check", "-e", "preview", code=1)


def test_check_as_json() -> None:
    _run("init")
    found = json.loads(_run("check", "--format", "json", "-e", "staging"))
    assert {item["environment"] for item in found} == {None, "staging"}
    assert {item["verdict"] for item in found} == {"ok", "warning", "skipped"}
    worker = next(item for item in found if item["requirement"] == "host.worker.memory")
    assert worker["sentence"] == "32 GB RAM"
    assert worker["evidence"] == "declared: 32 GB or more"


def test_check_as_markdown() -> None:
    _run("init")
    text = _run("check", "--format", "markdown")
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## The whole site",
        "## staging",
        "## preview",
        "## production",
    ]
    assert {line.count(" | ") for line in text.splitlines() if line.startswith("| ")} == {3}


def test_check_of_what_is_no_site() -> None:
    with pytest.raises(SiteError, match="no such file"):
        _run("check")
    _run("init")
    with pytest.raises(UsageError, match="no environment stage"):
        _run("check", "-e", "stage")


def test_schema_is_json() -> None:
    assert json.loads(_run("schema"))["title"] == "fhirstack site"


def test_requirements_without_a_site() -> None:
    text = _run("requirements")
    for entry in requirements():
        assert f"`{entry.id}`" in text
        assert entry.provide in text
        assert (entry.reason or "") in text
    assert "| worker | 4 | 8 | 32 GB | 500 GB |  |" in text
    assert "| all | 11 | 60 | 180 GB | 6.1 TB | 5 TB |" in text
    assert (
        "| load balancer | worker nodes | tcp 30000-32767 | addition | firewall.ingress |" in text
    )


def test_requirements_of_an_environment() -> None:
    _run("init")
    text = _run("requirements", "-f", "site.yaml", "-e", "production")
    assert "| production | fhir.opensrp.example.org. A 203.0.113.30 |" in text
    assert "| worker | production-worker-1 | 10.30.0.31 |" in text
    assert "| bastion |  | 198.51.100.7 |" in text
    assert "| internet |  | any |" in text
    assert "staging-worker" not in text
    with pytest.raises(UsageError, match="no environment moon"):
        _run("requirements", "-e", "moon")


def test_the_firewall_host_by_host() -> None:
    _run("init")
    text = _run("requirements", "-f", "site.yaml", "-e", "production", "--format", "json")
    flows = [row for row in json.loads(text) if row["kind"] == "flow"]
    found = next(row for row in flows if row["id"] == "firewall.backups")
    assert found["provide"] == "production-db (10.30.0.51) → production-nfs (10.30.0.61): tcp 2049"
    assert found["addition"] is True
    assert {row["environment"] for row in flows} == {"production"}


@pytest.mark.parametrize("arguments", [(), ("-f", "site.yaml")])
def test_requirements_as_csv_and_json_hold_the_same(arguments: tuple[str, ...]) -> None:
    _run("init")
    from_json = json.loads(_run("requirements", "--format", "json", *arguments))
    from_csv = list(
        csv.DictReader(io.StringIO(_run("requirements", "--format", "csv", *arguments)))
    )
    assert from_csv == [{key: str(value) for key, value in row.items()} for row in from_json]
    kinds = {row["kind"] for row in from_json}
    assert kinds == {"requirement", "flow"} | ({"dns-name"} if arguments else set())
    assert [row["id"] for row in from_json if row["kind"] == "requirement"] == [
        entry.id for entry in requirements()
    ]
