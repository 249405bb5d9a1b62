"""What a site does not let its users write: it is sent all the same, and must be refused."""

import json

import httpx
import pytest

from fhirstack.clients.answers import Page, problems
from fhirstack.clients.bodies import REPEATED
from fhirstack.clients.contract import As, Strategy
from fhirstack.clients.load import contract
from fhirstack.clients.player import play
from fhirstack.clients.values import filled
from fhirstack.clients.withheld import WRITES, parts, written
from fhirstack.model.records import TYPES, WEB_WRITTEN, WRITTEN

ANDROID, WEB = contract("android"), contract("fhir-web")


def step(name, of=ANDROID):
    (found,) = (one for one in of.steps if one.id == name)
    return found


def sent(name, *types, of=ANDROID):
    """Return the parts of a step whose sender may not write these types."""
    one = step(name, of)
    return list(parts(of, one, dict.fromkeys(As, types)))


BODIES = {
    "upload.changes": ["Patient", "QuestionnaireResponse", "QuestionnaireResponse", "Group"],
    "upload.removed": ["RelatedPerson", "MeasureReport", "Group"],
    "upload.full": ["Observation"],
    "upload.one": ["Observation"],
    "upload.one-changed": ["Observation"],
    "upload.one-created": ["RelatedPerson"],
    "upload.created-removed": ["RelatedPerson"],
    "configuration.first": [],
    "log-in.token": [],
    "sync.first": [],
}


@pytest.mark.parametrize("name", BODIES)
def test_what_a_request_writes_is_read_from_it(name):
    assert written(step(name)) == BODIES[name]


def test_a_list_of_things_is_no_bundle():
    assert written(step("import.list", WEB)) == ["List"]
    assert {name for one in WEB.steps for name in written(one)} >= set(WEB_WRITTEN)


def test_nothing_that_the_app_writes_is_withheld_unless_a_site_says_so():
    for one in ANDROID.steps:
        assert set(written(one)) <= set(WRITTEN), one.id
        (part,) = parts(ANDROID, one, dict.fromkeys(As, set(TYPES) - set(WRITTEN)))
        assert part.step == one


def test_what_may_be_written_is_sent_as_it_is():
    for name in ("upload.household", "upload.copied", "sync.first"):
        assert [part.step for part in sent(name)] == [step(name)]
        assert [part.step for part in sent(name, "Media")] == [step(name)]


def test_a_bundle_is_refused_as_a_whole_and_then_its_rest_is_taken():
    refused, rest = sent("upload.household", "RelatedPerson", "Flag")
    assert refused.refused
    assert refused.step.request == step("upload.household").request
    assert refused.step.answer == ANDROID.withheld
    assert refused.values["withheld"] == "RELATEDPERSON"
    assert not refused.step.keep
    assert not rest.refused
    assert rest.step.answer.entries == 10
    assert "RelatedPerson" not in written(rest.step)
    assert "Flag" not in written(rest.step)
    # Versions are kept of the entries' new places.
    kept = step("upload.household").keep
    assert rest.step.keep["household_version"] == kept["household_version"]
    assert "head_version" not in rest.step.keep
    assert rest.step.keep["form_version"].startswith("entry[3].")
    assert rest.step.keep["task_version"].startswith("entry[9].")


def test_what_must_come_back_of_an_entry_goes_with_it():
    (_, without) = sent("upload.many-created", "RelatedPerson")
    assert not without.step.answer.values
    assert list(without.step.keep) == ["household_version"]
    assert without.step.keep["household_version"].startswith("entry[0].")
    (_, without) = sent("upload.many-created", "Group")
    assert without.step.answer.values == step("upload.many-created").answer.values


def test_of_what_may_not_be_written_at_all_nothing_is_left():
    for name in ("upload.full", "upload.one", "upload.odd-tags"):
        (part,) = sent(name, "Observation")
        assert part.refused


READS = [
    ("upload.copied", "Task", ANDROID),
    ("upload.seen", "Patient", ANDROID),
    ("flag.read", "Flag", WEB),
    ("questionnaire.response", "QuestionnaireResponse", WEB),
]


@pytest.mark.parametrize(("name", "kind", "of"), READS)
def test_what_nobody_could_write_must_not_be_there(name, kind, of):
    (part,) = sent(name, kind, of=of)
    assert part.step.answer == step(name, of).without
    assert part.step.answer != step(name, of).answer
    assert [p.step for p in sent(name, "Media", of=of)] == [step(name, of)]


def test_every_read_of_what_the_pages_write_says_what_comes_without_it():
    for one in WEB.steps:
        reads = [kind for kind in WEB_WRITTEN if f"/{kind}/{{new}}" in one.request.url]
        if one.request.method == "GET" and reads:
            assert set(reads) <= set(one.reads), one.id


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("where", ["", "Bundle.entry[3] (POST Flag/x): "])
def test_the_role_of_each_way_to_write_is_known(method, where):
    said = f"{where}Missing realm role {method}_FLAG or MANAGE_FLAG."
    outcome = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": said}]}
    assert not problems(ANDROID.withheld, [Page(403, {}, outcome)], {"withheld": "FLAG"})
    assert problems(ANDROID.withheld, [Page(403, {}, outcome)], {"withheld": "PATIENT"})


class Gateway:
    """Takes what its roles name, refuses all else as the gateway does; keeps what it was sent."""

    def __init__(self, *may_not):
        self.may_not = {name.upper() for name in may_not}
        self.stored = set()

    def __call__(self, request):
        target = request.extensions["target"].decode().partition("?")[0]
        if request.method == "GET":
            there = target.removeprefix("/fhir/") in self.stored
            kind = target.split("/")[2]
            body = {"resourceType": kind, "id": "1", "questionnaire": "Questionnaire/1"}
            return httpx.Response(200, json=body) if there else self.outcome(404, "unknown")
        kind, name = target.split("/")[2:4]
        if kind.upper() in self.may_not:
            return self.outcome(403, f"Missing realm role PUT_{kind.upper()} or "
                                     f"MANAGE_{kind.upper()}.")  # fmt: skip
        self.stored.add(f"{kind}/{name}")
        return httpx.Response(201, json=json.loads(request.content))

    @staticmethod
    def outcome(status, said):
        issue = [{"diagnostics": said}]
        return httpx.Response(status, json={"resourceType": "OperationOutcome", "issue": issue})


def replay(gateway, withheld):
    """Replay what the pages write of records, and read of it."""
    names = ("flag.raised", "flag.read", "flag.close-encounter", "questionnaire.response")
    names += ("questionnaire.submit", "flag.close-observation")
    steps = tuple(one for one in WEB.steps if one.id in names)
    values = dict.fromkeys(WEB.needs, "1") | {"fhir": "https://g/fhir"}
    with httpx.Client(transport=httpx.MockTransport(gateway)) as client:
        return play(
            WEB.model_copy(update={"steps": steps}),
            values,
            client,
            lambda who: "token",
            withheld={As.ADMINISTRATOR: withheld},
        )


SITES = [(), ("Flag",), ("QuestionnaireResponse", "Observation"), WEB_WRITTEN]


@pytest.mark.parametrize("less", SITES)
def test_a_gateway_that_refuses_what_the_site_withholds_is_right(less):
    played = replay(Gateway(*less), set(less))
    assert not played.failures
    assert len(played.refused) == len(less)
    assert played.requests == 6


@pytest.mark.parametrize("less", SITES[1:])
def test_a_gateway_that_takes_it_all_the_same_is_not(less):
    played = replay(Gateway(), set(less))
    failed = {failure.step.id for failure in played.failures}
    assert failed >= set(played.refused)
    assert "answered 201, not 403" in str(played.failures[0])


def test_a_refusal_of_another_kind_is_not_the_site_s():
    played = replay(Gateway("Flag"), {"Encounter"})
    said = " ".join(map(str, played.failures))
    assert "flag.raised" in said
    assert "flag.close-encounter" in said


def test_a_refusal_that_names_another_role_is_a_failure():
    class Other(Gateway):
        @staticmethod
        def outcome(status, said):
            return Gateway.outcome(status, said.replace("FLAG", "PATIENT"))

    (first, *_) = replay(Other("Flag"), {"Flag"}).failures
    assert "issue[0].diagnostics" in str(first)


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("kind", sorted({k for one in ANDROID.steps for k in written(one)}))
def test_without_any_one_type_every_step_can_still_be_written(strategy, kind):
    """What is refused needs no version of what was refused before; what is left names no other."""
    known = dict.fromkeys((*ANDROID.needs, *ANDROID.may_have, *REPEATED), "1")
    for one in ANDROID.steps:
        if strategy not in one.strategies:
            continue
        for part in parts(ANDROID, one, dict.fromkeys(As, (kind,))):
            here = {**part.values, **known, **dict.fromkeys(part.step.each, "1")}
            filled([part.step.request.json_body, part.step.request.url], here)
            known |= dict.fromkeys(part.step.keep, "1")
