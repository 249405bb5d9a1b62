"""The sync strategies besides CareTeam (which `verify` proves), on the real services."""

import base64
import json

import pytest

from fhirstack.checks.session import Person
from fhirstack.planes.iam.roles import ANDROID_GROUP
from fhirstack.planes.iam.users import User, delete_user, ensure_user
from fhirstack.secret import Secret
from tests.e2e.keycloak import session

pytestmark = pytest.mark.e2e

SYSTEM = "https://smartregister.org/"
PASSWORD = Secret("a-password-of-a-test-1")

# Strategy, tag system, and the ids whose records the health worker must get.
CASES = [
    ("Organization", "organisation-tag-id", ("own",)),
    ("Location", "location-tag-id", ("district", "village")),
    ("RelatedEntityLocation", "related-entity-location-tag-id", ("district", "village")),
]


def application(prefix, strategy):
    config = {"appId": prefix, "configType": "application", "syncStrategy": [strategy]}
    data = base64.b64encode(json.dumps(config).encode()).decode()
    focus = {"reference": f"Binary/{prefix}", "identifier": {"value": "application"}}
    return [
        {
            "resourceType": "Binary",
            "id": prefix,
            "contentType": "application/json",
            "data": data,
        },
        {
            "resourceType": "Composition",
            "id": prefix,
            "identifier": {"value": prefix},
            "status": "final",
            "type": {"text": "application"},
            "date": "2026-01-01",
            "author": [{"display": "test"}],
            "title": prefix,
            "section": [{"title": "application", "focus": focus}],
        },
    ]


def assignment(prefix, user_id):
    """One practitioner in one organization that works in a district with a village."""

    def reference(kind, name):
        return {"reference": f"{kind}/{prefix}-{name}"}

    def location(name, parent=None):
        part_of = {"partOf": reference("Location", parent)} if parent else {}
        return {"resourceType": "Location", "id": f"{prefix}-{name}", "name": name, **part_of}

    return [
        {
            "resourceType": "Practitioner",
            "id": f"{prefix}-worker",
            "identifier": [{"value": user_id}],
        },
        {"resourceType": "Organization", "id": f"{prefix}-own", "name": "own"},
        {"resourceType": "Organization", "id": f"{prefix}-other", "name": "other"},
        {
            "resourceType": "PractitionerRole",
            "id": f"{prefix}-role",
            "practitioner": reference("Practitioner", "worker"),
            "organization": reference("Organization", "own"),
        },
        location("district"),
        location("village", "district"),
        location("elsewhere"),
        {
            "resourceType": "OrganizationAffiliation",
            "id": f"{prefix}-affiliation",
            "organization": reference("Organization", "own"),
            "location": [reference("Location", "district")],
        },
        # One without a location: OpenSRP's own image answers 500 to it.
        {
            "resourceType": "OrganizationAffiliation",
            "id": f"{prefix}-nowhere",
            "organization": reference("Organization", "own"),
        },
    ]


def patient(prefix, name, system):
    tag = {"system": SYSTEM + system, "code": f"{prefix}-{name}"}
    return {"resourceType": "Patient", "id": f"{prefix}-{name}", "meta": {"tag": [tag]}}


def put(resources):
    entries = [
        {"resource": r, "request": {"method": "PUT", "url": f"{r['resourceType']}/{r['id']}"}}
        for r in resources
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


@pytest.mark.parametrize(("strategy", "system", "own"), CASES, ids=[case[0] for case in CASES])
def test_a_health_worker_gets_what_the_strategy_assigns(cli, strategy, system, own):
    prefix = f"strategy-{strategy.lower()}"
    with session(cli) as opened:
        realm = opened.environment.realm.name
        user = User(prefix, "A", "B", f"{prefix}@example.org", prefix, (ANDROID_GROUP,))
        user_id = ensure_user(opened.admin, realm, user, PASSWORD)
        try:
            others = ("other",) if strategy == "Organization" else ("elsewhere",)
            resources = [*application(prefix, strategy), *assignment(prefix, user_id)]
            resources += [patient(prefix, name, system) for name in (*own, *others)]
            answer = opened.backend.post("", json=put(resources))
            assert answer.status_code == 200, answer.text
            worker = Person(prefix, PASSWORD, user_id)

            answer = opened.fhir("GET", "Patient?_count=200", worker)
            assert answer.status_code == 200, answer.text
            found = {entry["resource"]["id"] for entry in answer.json().get("entry", [])}
            assert found == {f"{prefix}-{name}" for name in own}
            for name in own:
                answer = opened.fhir("GET", f"Patient/{prefix}-{name}", worker)
                assert answer.status_code == 200
            for name in others:
                path, body = f"Patient/{prefix}-{name}", patient(prefix, own[0], system)
                assert opened.fhir("GET", path, worker).status_code == 403
                body["id"] = f"{prefix}-{name}"
                assert opened.fhir("PUT", path, worker, json=body).status_code == 403
        finally:
            delete_user(opened.admin, realm, prefix)


def test_without_an_assignment_the_refusal_says_what_is_missing(cli):
    prefix = "strategy-nobody"
    with session(cli) as opened:
        realm = opened.environment.realm.name
        user = User(prefix, "A", "B", f"{prefix}@example.org", prefix, (ANDROID_GROUP,))
        worker = Person(prefix, PASSWORD, ensure_user(opened.admin, realm, user, PASSWORD))
        try:
            answer = opened.fhir("GET", "Patient?_count=1", worker)
            assert answer.status_code == 403
            assert "Composition" in answer.text
        finally:
            delete_user(opened.admin, realm, prefix)
