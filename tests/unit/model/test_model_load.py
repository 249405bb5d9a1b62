"""Every error of a site file, with its place and what to write instead."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from fhirstack.errors import ExitCode, SiteError
from fhirstack.model.load import load_site, parse_site
from fhirstack.model.site import Kind, Role

CASES = Path(__file__).parents[2] / "cases" / "site"
BASE = (CASES / "base.yaml").read_text(encoding="utf-8")


def _cases(name: str) -> list[Any]:
    cases = yaml.safe_load((CASES / f"{name}.yaml").read_text(encoding="utf-8"))
    return [pytest.param(case, id=case["name"]) for case in cases]


def _errors(text: str) -> list[str]:
    with pytest.raises(SiteError) as raised:
        parse_site(text, "site.yaml")
    assert raised.value.exit_code is ExitCode.USAGE
    return str(raised.value).split("\n")


def _edited(*edits: tuple[str, str]) -> str:
    text = BASE
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def test_the_base_of_the_cases_is_valid() -> None:
    site = parse_site(BASE, "site.yaml")
    assert site.programme == "Child health"
    assert [item.kind for item in site.environments.values()] == [Kind.STAGING, Kind.PRODUCTION]
    assert site.environments["staging"].name == "staging"
    assert site.environments["staging"].network.upstream_mbit == 20
    assert str(site.environments["production"].hosts_of(Role.NFS)[0].address) == "10.30.0.61"


@pytest.mark.parametrize("case", _cases("edits"))
def test_errors_of_an_edit(case: dict[str, Any]) -> None:
    text = _edited(*((edit["old"], edit["new"]) for edit in case["edits"]))
    assert _errors(text) == case["errors"]


@pytest.mark.parametrize("case", _cases("texts"))
def test_errors_of_a_text(case: dict[str, Any]) -> None:
    assert _errors(case["text"]) == case["errors"]


def test_a_release_without_quotes_stays_as_it_is_written() -> None:
    text = _edited(("address: 10.10.0.31,", "address: 10.10.0.31, os: {version: 26.10},"))
    worker = parse_site(text, "s").environments["staging"].hosts_of(Role.WORKER)[0]
    assert worker.os.version == "26.10"


def test_anchors_and_merge_keys() -> None:
    text = _edited(
        ("    backups: {path: /srv/backups/staging,", "    edge: &edge {max_body_mib: 8}\n"
         "    backups: {path: /srv/backups/staging,"),
        ("    domain: example.org\n", "    domain: example.org\n"
         "    edge: {<<: *edge, max_header_kib: 32}\n"),
    )  # fmt: skip
    edge = parse_site(text, "s").environments["production"].edge
    assert (edge.max_body_mib, edge.max_header_kib) == (8, 32)


def test_an_environment_lies_over_the_defaults_key_by_key() -> None:
    text = _edited(
        ("      public_address: 203.0.113.10\n",
         "      public_address: 203.0.113.10\n      upstream_mbit: 50\n"),
    )  # fmt: skip
    site = parse_site(text, "s")
    staging, production = (site.environments[name].network for name in ("staging", "production"))
    assert (staging.upstream_mbit, staging.downstream_mbit) == (50, 20)
    assert production.upstream_mbit == 20


def test_a_list_of_an_environment_replaces_that_of_the_defaults() -> None:
    text = _edited(
        ("defaults:\n", "defaults:\n  services: [fhir, keycloak]\n"),
        ("    domain: example.org\n", "    domain: example.org\n    services: [keycloak]\n"),
    )
    site = parse_site(text, "s")
    assert site.environments["staging"].services == ("fhir", "keycloak")
    assert site.environments["production"].services == ("keycloak",)


def test_a_merge_of_what_is_no_section() -> None:
    text = (
        "programme: x\nenvironments: {staging: &a {domain: a.b}, preview: {<<: 3, domain: c.d}}\n"
    )
    assert _errors(text) == [
        "site.yaml:2:57: `<<` takes keys and values",
        "  write an alias instead",
    ]


def test_aliases_that_multiply_end() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert _errors("\n".join(lines))[0].endswith("more than 50000 values")


def test_deep_nesting() -> None:
    assert _errors("a: " + "[" * 5_000) == ["site.yaml: nested too deeply"]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"\x00\xff\xfe\x80", "not UTF-8 text (byte 2)"),
        (b"PK\x03\x04", "unacceptable character"),
        (b"a" * 1_000_001, "larger than 1000000 bytes: not a site file"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, content: bytes, error: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(content)
    with pytest.raises(SiteError, match=error.replace("(", r"\(").replace(")", r"\)")) as raised:
        load_site(path)
    assert len(raised.value.errors) == 1
    assert str(raised.value).startswith(str(path))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, error in (
        (tmp_path / "none.yaml", "no such file"),
        (tmp_path, "a directory"),
        (tmp_path / "site.yaml" / "below", "cannot be read: Not a directory"),
    ):
        (tmp_path / "site.yaml").touch()
        with pytest.raises(SiteError) as raised:
            load_site(path)
        assert str(raised.value).splitlines()[0] == f"{path}: {error}"


def test_a_byte_order_mark_is_no_part_of_the_site(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(BASE, encoding="utf-8-sig")
    assert load_site(path).programme == "Child health"
