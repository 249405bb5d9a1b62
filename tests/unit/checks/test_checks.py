import json
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import psycopg
import pytest

from fhirstack.checks import report, verify
from fhirstack.checks.check import (
    Check,
    FailedError,
    Result,
    SkippedError,
    looked,
    refused,
    require,
)
from fhirstack.checks.running import listed
from fhirstack.errors import UnreachableError, UsageError
from fhirstack.model.local import local_environment
from fhirstack.page.requirements import How, requirement
from fhirstack.page.results import Verdict

import httpx  # isort: skip


@pytest.mark.parametrize("check", verify.CHECKS, ids=lambda check: check.id)
def test_every_check_proves_a_requirement_of_the_list(check):
    assert How.LIVE in requirement(check.requirement).how
    assert len(check.title) <= 36
    assert len(check.id) <= 35


def test_ids_are_unique():
    assert len({check.id for check in verify.CHECKS}) == len(verify.CHECKS)


def broken(error):
    def look(session):
        raise error

    return Check("a.b", "services.keycloak", "title", look)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (FailedError("no"), Verdict.FAILED),
        (SkippedError("cannot"), Verdict.SKIPPED),
        (httpx.ConnectError("gone"), Verdict.FAILED),
        (UnreachableError("gone"), Verdict.FAILED),
        (OSError("gone"), Verdict.FAILED),
        (psycopg.errors.UndefinedTable("gone"), Verdict.FAILED),
        (KeyError("gone"), Verdict.FAILED),
        (json.JSONDecodeError("x", "", 0), Verdict.FAILED),
    ],
)
def test_a_check_that_breaks_is_never_ok(error, verdict):
    fine = Check("a.c", "services.keycloak", "title", lambda session: "seen")
    assert looked(broken(error), session=None).verdict is verdict
    assert looked(fine, session=None).verdict is Verdict.OK


WRITING = [(check, kind) for check in verify.CHECKS for kind in check.writes]


@pytest.mark.parametrize(("check", "kind"), WRITING, ids=lambda value: getattr(value, "id", value))
def test_a_check_of_what_the_site_lets_nobody_write_is_skipped(check, kind):
    environment = local_environment("one", https_port=18443, http_port=18480)
    kept = tuple(name for name in environment.application.writes if name != kind)
    assert len(kept) == len(environment.application.writes) - 1
    application = environment.application.model_copy(update={"writes": kept})
    less = environment.model_copy(update={"application": application})
    # Nothing but what the site declares is at hand: it is not asked.
    found = looked(check, SimpleNamespace(environment=less))
    assert found.verdict is Verdict.SKIPPED
    assert f"write no {kind} here" in found.evidence


def response(code, body):
    return httpx.Response(code, json=body, request=httpx.Request("GET", "https://x/y"))


def test_a_refusal_needs_its_code_and_an_outcome():
    outcome = {"resourceType": "OperationOutcome"}
    assert refused(response(401, outcome), 401)
    for wrong in (response(200, outcome), response(500, outcome), response(401, {})):
        with pytest.raises(FailedError):
            refused(wrong, 401)


def test_require():
    assert require(True, "x") == "x"
    with pytest.raises(FailedError, match="x"):
        require(False, "x")


def results():
    check = Check("a.b", "services.keycloak", "A <title>", lambda session: "")
    verdicts = (Verdict.OK, Verdict.FAILED, Verdict.SKIPPED)
    return [Result(check, verdict, "ev\x00idence & <x>", 0.5) for verdict in verdicts]


def test_junit_is_xml_and_counts():
    suite = ET.fromstring(report.as_junit(results(), "one"))  # noqa: S314 - our own text
    counts = {key: suite.get(key) for key in ("tests", "failures", "skipped", "errors")}
    assert counts == {"tests": "3", "failures": "1", "skipped": "1", "errors": "0"}


def test_json_has_every_result():
    found = json.loads(report.as_json(results()))
    assert [entry["verdict"] for entry in found] == ["ok", "failed", "skipped"]


def test_checks_are_chosen_by_how_their_ids_begin():
    chosen = listed(verify.choose(["edge.", "closed."]))
    assert {check.id.split(".")[0] for check in chosen} == {"edge", "closed"}
    assert listed(verify.choose([])) == verify.CHECKS
    with pytest.raises(UsageError):
        verify.choose(["none"])


def test_a_record_is_read_back():
    record = verify.record_of(results())
    assert (record.ok, record.failed, record.skipped) == (1, 1, 1)
    assert verify.read_record(record.as_json()) == record
    assert verify.read_record("{}") is None
    assert verify.read_record("junk") is None
