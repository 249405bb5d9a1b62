"""Checks of real clients: each step can fail, and what they make can be taken away again."""

import json
import re
from types import SimpleNamespace

import httpx
import pytest

from fhirstack.checks import client_android, devices
from fhirstack.checks.check import FailedError, SkippedError
from fhirstack.clients.answers import Page, problems
from fhirstack.clients.bodies import json_of
from fhirstack.clients.contract import As, Strategy, used
from fhirstack.clients.load import contract
from fhirstack.clients.paths import found
from fhirstack.clients.player import Failure, Played, wires
from fhirstack.clients.written import written
from fhirstack.demo.application import COMPOSITION_ID, application_resources, declared
from fhirstack.model.local import local_environment

ANDROID = contract("android")
USERS = {"own": "user-1", "other": "user-2"}
SITE = {"site_app", "site_guides", "site_compositions"}
STATUS_ALONE = {"log-out", "log-in.out-with-a-secret"}
"""Steps of whose answer the app reads nothing but the status."""
ALIKE = ({200, 201}, {200, 204}, {409, 412})
"""Statuses that mean one thing to the app: written, new or not; done; somebody was first."""


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
            assert problems(step.answer, pages, values)


@pytest.mark.parametrize("step", ANDROID.steps, ids=lambda step: step.id)
def test_no_step_takes_answers_that_mean_different_things(step):
    assert len(step.answer.status) == 1 or set(step.answer.status) in ALIKE


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


def test_what_could_not_be_sent_makes_no_check_ok():
    played = Played(3, unsent={"first-screen.parameters": {"site_parameters"}})
    with pytest.raises(SkippedError, match=r"first-screen\.parameters.*Parameters"):
        client_android.verdict(ANDROID, played)


def test_every_step_is_in_a_check_that_sends_it():
    """What needs something of a programme is apart: a device's life is sent whole, or fails."""
    device = client_android.of_device(ANDROID).steps
    assert not any(used(step) & set(ANDROID.may_have) for step in device)
    groups = (client_android.CONFIGURATION, client_android.PARAMETERS, client_android.FORMS)
    apart = [client_android.of_site(ANDROID, names).steps for names in groups]
    assert all(apart)
    assert set().union(*groups) == set(ANDROID.may_have)
    ids = [step.id for steps in (device, *apart) for step in steps]
    assert sorted(ids) == sorted(step.id for step in ANDROID.steps)


SITES = {
    "nothing": (
        {},
        {},
        "not sent: first-screen.composition-version, first-screen.composition-newest, "
        "first-screen.binaries",
    ),
    "a composition alone": (
        {"public_compositions": ("c",)},
        {"Composition": [{"resourceType": "Composition", "id": "c", "meta": {"versionId": "1"}}]},
        "not sent: first-screen.binaries",
    ),
    "binaries of another application": (
        {"public_compositions": ("c",), "public_binaries": ("b",)},
        {"Composition": [{"id": "other", "meta": {"versionId": "1"}}]},
        "not sent: first-screen.composition-version",
    ),
}


@pytest.mark.parametrize("site", SITES)
def test_a_first_screen_that_is_not_loaded_is_skipped_with_its_reason(session, site):
    declared, held, said = SITES[site]

    def answer(request):
        entries = held.get(request.url.path.rsplit("/", 1)[-1], [])
        target = request.extensions.get("target", b"")
        if target.endswith(b"/_history/"):
            entries = held["Composition"]
        elif b"_history" in target:
            return httpx.Response(200, json={"resourceType": "Composition", "id": "c"})
        if request.method == "POST" or b"Binary?" in target:
            entries = [{"resourceType": "Binary", "id": "b", "data": "e30="}]
        body = {"resourceType": "Bundle", "type": "searchset"}
        return httpx.Response(200, json=body | {"entry": [{"resource": e} for e in entries]})

    application = session.environment.application.model_copy(update=declared)
    session.environment = session.environment.model_copy(update={"application": application})
    session.http = httpx.Client(transport=httpx.MockTransport(answer))
    session.backend = httpx.Client(base_url="http://b", transport=httpx.MockTransport(answer))
    for names in (client_android.CONFIGURATION, client_android.PARAMETERS, client_android.FORMS):
        with pytest.raises(SkippedError) as error:
            client_android.configuration(names)(session)
        if names is client_android.CONFIGURATION:
            assert said in str(error.value)


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
    replays = [check for check in client_android.CHECKS if check.title.startswith("The app's life")]
    assert len(replays) == len(Strategy)
    assert {step.acts for step in ANDROID.steps} <= {As.NOBODY, As.WORKER, As.COLLEAGUE}


class Store:
    """A FHIR server of which only what is there matters; it notes what it is asked."""

    def __init__(self, names):
        self.names, self.asked, self.deleted = set(names), 0, []

    def answer(self, request):
        self.asked += 1
        kind, _, identifier = request.url.path.strip("/").partition("/")
        if request.method == "POST":
            gone = [e["request"]["url"] for e in json.loads(request.content)["entry"]]
            self.names -= set(gone)
            self.deleted += gone
            entries = [{"response": {"status": "204"}} for _ in gone]
            return httpx.Response(200, json={"entry": entries})
        if identifier:
            return httpx.Response(200 if f"{kind}/{identifier}" in self.names else 404)
        ids = request.url.params["_id"].split(",")
        found = [{"resource": {"id": i}} for i in ids if f"{kind}/{i}" in self.names]
        return httpx.Response(200, json={"entry": found}, request=request)


def scene_s_names(session, strategy, full):
    values = devices.values(session, strategy, USERS, "secret", full)
    made = [devices.name_of(resource) for resource in devices.resources(strategy, USERS)]
    return {*made, *written(ANDROID, values)}


@pytest.mark.parametrize("full", [3, devices.FULL, devices.FULLEST])
@pytest.mark.parametrize("strategy", Strategy)
def test_all_of_a_scene_is_removed_and_its_composition_last(session, strategy, full):
    here = Store({*scene_s_names(session, strategy, full), "Patient/of-a-programme"})
    session.backend = httpx.Client(base_url="http://b", transport=httpx.MockTransport(here.answer))
    devices.remove_records(session, *Strategy)
    assert here.names == {"Patient/of-a-programme"}
    assert here.deleted[-1] == f"Composition/{devices.app_of(strategy)}"


def test_where_nothing_is_left_that_is_seen_at_once(session):
    here = Store({"Patient/of-a-programme"})
    session.backend = httpx.Client(base_url="http://b", transport=httpx.MockTransport(here.answer))
    devices.remove_records(session, *Strategy)
    assert here.asked == len(Strategy)


def test_a_server_that_fails_is_not_taken_for_an_empty_one(session):
    def answer(request):
        return httpx.Response(503, request=request)

    session.backend = httpx.Client(base_url="http://b", transport=httpx.MockTransport(answer))
    with pytest.raises(httpx.HTTPStatusError):
        devices.remove_records(session, *Strategy)


DEMO = {resource["id"]: resource for resource in application_resources("opensrp", "CareTeam")}


def of_the_demo(request):
    """Answer as a gateway and a store that hold the demo's application."""
    composition = DEMO[COMPOSITION_ID] | {"meta": {"versionId": "3"}}
    target = request.extensions.get("target", request.url.raw_path).decode()
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": 1}
    found = []
    if request.method == "POST":
        urls = [entry["request"]["url"] for entry in json.loads(request.content)["entry"]]
        found = [DEMO[re.split("[/=]", url)[-1]] for url in urls]
        if "?" in urls[0]:
            assert request.headers["authorization"] == "Bearer nurse-s"
            return httpx.Response(
                200,
                json=bundle
                | {
                    "entry": [
                        {
                            "response": {"status": "200 OK"},
                            "resource": bundle | {"entry": [{"resource": one}]},
                        }
                        for one in found
                    ]
                },
            )
    elif "Binary?_id=" in target:
        found = [DEMO[name] for name in re.split("[=&]", target)[1].split(",")]
    elif "ImplementationGuide" in target:
        found = [DEMO["demo-guide"]]
    elif target.endswith("_history/") or "identifier=" in target:
        found = [composition]
    elif "_history" in target:
        return httpx.Response(200, json=composition)
    return httpx.Response(200, json=bundle | {"entry": [{"resource": one} for one in found]})


@pytest.mark.parametrize("check", ["first-screen", "parameters", "forms"])
def test_with_the_demo_s_application_no_step_is_left_out(session, check):
    """A check that is always skipped proves nothing."""
    environment = session.environment.model_copy(update={"application": declared()})
    transport = httpx.MockTransport(of_the_demo)
    session.environment = environment
    session.http = httpx.Client(transport=transport)
    session.backend = httpx.Client(base_url="http://b", transport=transport)
    session.people = SimpleNamespace(nurse="nurse")
    session.tokens_of = lambda who: {"access_token": f"{who}-s"}
    (found,) = (one for one in client_android.CHECKS if one.id == f"client.android.{check}")
    assert "answered as it needs" in found.look(session)
