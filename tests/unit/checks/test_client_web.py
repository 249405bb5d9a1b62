"""FHIR Web's replay: which answer is right is decided by what is there, never left open."""

from types import SimpleNamespace

import httpx
import pytest

from fhirstack.checks import client_web
from fhirstack.checks.check import FailedError
from fhirstack.clients.answers import Page, problems
from fhirstack.clients.load import contract
from fhirstack.clients.player import wires
from fhirstack.clients.values import filled, names

WEB = contract("fhir-web")
WRITES = {"200", "201", "204"}
"""Statuses of the same success: an id may be new, or of an earlier run."""


def expected(step, here):
    return {str(filled(str(status), here)) for status in step.answer.status}


@pytest.mark.parametrize("step", WEB.steps, ids=lambda step: step.id)
def test_no_step_takes_both_a_refusal_and_a_success(step):
    kept = (name for one in WEB.steps for name in one.keep)
    values = dict.fromkeys((*WEB.needs, *WEB.may_have, *kept), "1")
    for value in ("200", "403", "404"):
        decided = ("service_point_types", "unicef_sections", "donors", *client_web.PERMITTED)
        for here, _ in wires(WEB, step, values | dict.fromkeys(decided, value)):
            statuses = expected(step, here)
            assert len(statuses) == 1 or statuses <= WRITES, statuses


def test_the_replay_gives_every_status_that_the_contract_leaves_to_it():
    left = set()
    for step in WEB.steps:
        for name in names(list(step.answer.status)):
            left |= set(names(step.each[name])) if name in step.each else {name}
    given = {"service_point_types", "unicef_sections", "donors", *client_web.PERMITTED}
    assert left == given


CASES = [
    ("groups.create", "group_made", "403", {403: True, 201: False, 500: False}),
    ("groups.create", "group_made", "201", {403: False, 201: True, 401: False}),
    ("places.service-types", "donors", "404", {404: True, 200: False, 403: False}),
    ("places.service-types", "donors", "200", {404: False, 200: True, 403: False}),
]


@pytest.mark.parametrize(("name", "value", "status", "answers"), CASES)
def test_the_other_answer_is_a_failure(name, value, status, answers):
    (step,) = (step for step in WEB.steps if step.id == name)
    kept = (name for one in WEB.steps for name in one.keep)
    values = dict.fromkeys((*WEB.needs, *WEB.may_have, *kept), "1")
    *_, (here, _) = wires(WEB, step, values | {value: status})
    headers = {"access-control-allow-origin": "1"}
    for code, right in answers.items():
        assert (not problems(step.answer, [Page(code, headers, {})], here)) is right


@pytest.mark.parametrize("there", [(), ("donors",), ("service-point", "unicef")])
def test_which_value_sets_are_loaded_is_what_the_store_holds(there):
    """By a search: the expansion itself is what is looked at, and decides nothing."""

    def answer(request):
        assert request.url.path == "/ValueSet"
        total = sum(part in request.url.params["url"] for part in there)
        return httpx.Response(200, json={"total": total}, request=request)

    backend = httpx.Client(base_url="http://b", transport=httpx.MockTransport(answer))
    first, again = (client_web.loaded(SimpleNamespace(backend=backend)) for _ in range(2))
    own = [found.pop(name) for found in (first, again) for name in ("value_set", "no_value_set")]
    assert len(set(own)) == 4
    assert [status for status in first.values() if status == "200"] == ["200"] * len(there)
    assert set(first.values()) <= {"200", "404"}


def test_a_server_that_fails_decides_nothing():
    def answer(request):
        return httpx.Response(503, request=request)

    backend = httpx.Client(base_url="http://b", transport=httpx.MockTransport(answer))
    with pytest.raises(FailedError):
        client_web.loaded(SimpleNamespace(backend=backend))


UNKNOWN = {404: True, 200: False, 403: False, 400: False}


@pytest.mark.parametrize("status", UNKNOWN)
def test_of_a_value_set_that_nobody_loaded_one_answer_is_right(status):
    (step,) = (step for step in WEB.steps if step.id == "places.service-types-unknown")
    page = Page(status, {}, {"resourceType": "OperationOutcome"})
    assert (not problems(step.answer, [page], {})) is UNKNOWN[status]
