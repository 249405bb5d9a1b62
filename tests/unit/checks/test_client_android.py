"""Checks of real clients: each step can fail, and what they make can be taken away again."""

from types import SimpleNamespace

import pytest

from fhirstack.checks import client_android, devices
from fhirstack.checks.check import FailedError
from fhirstack.clients.answers import Page, problems
from fhirstack.clients.bodies import json_of
from fhirstack.clients.contract import As, Strategy
from fhirstack.clients.load import contract
from fhirstack.clients.paths import found
from fhirstack.clients.player import Failure, Played, wires
from fhirstack.clients.written import written
from fhirstack.model.local import local_environment

ANDROID = contract("android")
USERS = {"own": "user-1", "other": "user-2"}
SITE = {"site_app", "site_guides", "site_compositions"}
STATUS_ALONE = {"places.count", "log-out"}
"""Steps of whose answer the app reads nothing but the status."""


def given(values):
    kept = (name for step in ANDROID.steps for name in step.keep)
    return dict.fromkeys((*kept, *ANDROID.may_have, *SITE), "1") | values


@pytest.fixture
def session():
    return SimpleNamespace(
        environment=local_environment("tests", https_port=20443, http_port=20080)
    )


@pytest.mark.parametrize("step", ANDROID.steps, ids=lambda step: step.id)
def test_no_step_takes_a_wrong_answer(step):
    values = dict.fromkeys((*ANDROID.needs, *ANDROID.may_have), "1") | dict.fromkeys(step.each, "1")
    outcome = {"resourceType": "OperationOutcome", "issue": [{"code": "processing"}]}
    assert problems(step.answer, [Page(500, {}, outcome)], values)
    if step.id not in STATUS_ALONE:
        for wrong in (None, [], {}, {"access_token": "none"}, {"resourceType": "Bundle"}):
            pages = [Page(step.answer.status[0], {}, wrong)]
            assert problems(step.answer, pages, values) or step.id == "log-out.refresh"


def test_a_failed_step_fails_the_check_and_says_what_to_do():
    step = ANDROID.steps[0]
    failures = [Failure(step, "GET https://x/", f"answered {n}") for n in range(9)]
    with pytest.raises(FailedError) as error:
        client_android.verdict(ANDROID, Played(40, failures))
    said = str(error.value)
    for part in ("9 of 40", "OpenSRP 2.2.2", step.id, "answered 0", step.then, "and 3 more"):
        assert part in said
    assert (
        client_android.verdict(ANDROID, Played(40))
        == "40 requests of OpenSRP 2.2.2 answered as it needs"
    )


@pytest.mark.parametrize("strategy", Strategy)
def test_the_scene_gives_all_that_the_contract_needs(session, strategy):
    values = devices.values(session, strategy, USERS, "secret", 3)
    assert set(values) | SITE == set(ANDROID.needs)


@pytest.mark.parametrize("strategy", Strategy)
def test_ids_are_fhir_s_and_name_the_checks(session, strategy):
    values = devices.values(session, strategy, USERS, "secret", devices.FULLEST)
    made = [devices.name_of(r) for r in devices.resources(strategy, USERS)]
    assert len(made) == len(set(made))
    for name in (*made, *written(ANDROID, values)):
        kind, identifier = name.split("/")
        assert kind.isalpha()
        assert identifier.startswith("fhirstack-verify-")
        assert len(identifier) <= 64


def test_all_that_the_device_writes_is_known_beforehand(session):
    values = devices.values(session, Strategy.CARE_TEAM, USERS, "secret", 3)
    known = given(values)
    urls = set()
    for step in ANDROID.steps:
        for _, wire in wires(ANDROID, step, known):
            if wire.method == "PUT":
                urls.add(wire.url.removeprefix(values["fhir"] + "/"))
    names = set(written(ANDROID, values))
    assert urls <= names
    assert "Observation/fhirstack-verify-careteam-new-full-3" in names
    assert "Observation/fhirstack-verify-careteam-new-full-4" not in names
    assert "MeasureReport/fhirstack-verify-careteam-new-report" in names


@pytest.mark.parametrize("strategy", Strategy)
def test_every_record_has_the_tag_of_the_checks(session, strategy):
    for resource in devices.resources(strategy, USERS):
        assert devices.VERIFY_TAG in resource["meta"]["tag"]
    values = devices.values(session, strategy, USERS, "secret", 3)
    known = given(values)
    for step in ANDROID.steps:
        body = json_of(step.request.json_body, dict.fromkeys(step.each, "1") | known)
        for resource in found(body, "entry[].resource"):
            if resource["resourceType"] != "Binary":
                assert devices.VERIFY_TAG in resource["meta"]["tag"], resource["id"]


def test_every_strategy_has_its_check():
    assert len(client_android.CHECKS) == len(Strategy)
    assert {step.acts for step in ANDROID.steps} <= {As.NOBODY, As.WORKER, As.COLLEAGUE}
