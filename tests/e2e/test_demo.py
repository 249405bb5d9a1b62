"""The demo programme, loaded for real and used by its own health workers."""

import json
import re

import pytest

from fhirstack.checks.session import Person
from fhirstack.secret import Secret
from tests.e2e.keycloak import session

pytestmark = pytest.mark.e2e

PATIENTS = 12


@pytest.fixture(scope="module")
def loaded(cli):
    return cli.ok("demo", "load", "--patients", str(PATIENTS))


def person(cli, username):
    return Person(username, Secret(cli.ok("secret", f"user-{username}").strip()), "")


def patients(opened, who):
    answer = opened.fhir("GET", "Patient?_count=500", who)
    assert answer.status_code == 200, answer.text
    return {entry["resource"]["id"] for entry in answer.json().get("entry", [])}


def test_it_says_what_it_loaded(loaded):
    assert "Patient" in loaded
    assert "user-amina" in loaded


def test_each_health_worker_gets_her_own_patients_and_together_all(cli, loaded):
    with session(cli) as opened:
        amina = patients(opened, person(cli, "amina"))
        baraka = patients(opened, person(cli, "baraka"))
        everyone = patients(opened, person(cli, "daudi"))
    assert amina
    assert baraka
    assert not amina & baraka
    assert len(amina | baraka) == PATIENTS
    assert amina | baraka <= everyone


def test_the_app_reads_its_configuration_before_login(cli, loaded):
    with session(cli) as opened:
        answer = opened.fhir("GET", "Composition?identifier=opensrp")
        assert answer.status_code == 200, answer.text
        (entry,) = answer.json()["entry"]
        binaries = sorted(set(re.findall(r'"Binary/([^"]+)"', json.dumps(entry))))
        assert len(binaries) > 1
        batch = {
            "resourceType": "Bundle",
            "type": "batch",
            "entry": [
                {"request": {"method": "GET", "url": f"Binary?_id={name}"}} for name in binaries
            ],
        }
        answer = opened.fhir("POST", "", json=batch)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["entry"]) == len(binaries)
        assert all(e["resource"]["total"] == 1 for e in answer.json()["entry"])


def test_the_app_finds_the_application_by_its_guide(cli, loaded):
    with session(cli) as opened:
        newest = "context-quantity=le19&_sort=-context-quantity&_count=1"
        answer = opened.fhir("GET", f"ImplementationGuide?&name:exact=opensrp&{newest}")
        assert answer.status_code == 200, answer.text
        (entry,) = answer.json()["entry"]
        (named,) = entry["resource"]["definition"]["resource"]
        # As the app makes it of a reference without a version.
        answer = opened.fhir("GET", f"{named['reference']['reference']}/_history/")
        assert answer.status_code == 200, answer.text
        assert answer.json()["resourceType"] == "Bundle"
        first = answer.json()["entry"][0]["resource"]
        assert first["identifier"]["value"] == "opensrp"


def test_loading_again_changes_nothing(cli, loaded):
    assert " 0 new" in cli.ok("demo", "load", "--patients", str(PATIENTS))


def test_verify_passes_beside_a_programme(cli, loaded):
    configuration = [f"client.android.{name}" for name in ("first-screen", "parameters", "forms")]
    checks = ("android.", "web.", "pipelines.", "anonymous.", *configuration)
    answer = cli("verify", *checks, "--format", "json")
    assert answer.code == 0, answer.text
    verdicts = {found["id"]: found["verdict"] for found in json.loads(answer.out)}
    # What is skipped where nothing is loaded.
    assert {verdicts[name] for name in configuration} == {"ok"}
