"""The people and records that checks need: made before, removed after, whatever happens.

All ids are fixed and begin with ``fhirstack-verify``: what a killed run left is found by the next
command that changes anything (``checks/leftovers.py``). Nobody of these people can log in but in
the check that needs it. The application is one of its own, so that no programme is touched.
"""

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from fhirstack.checks import store
from fhirstack.checks.session import Cast, Person, Session
from fhirstack.errors import UnreachableError
from fhirstack.planes.iam.observed import VERIFICATION
from fhirstack.planes.iam.roles import (
    ADMINISTRATOR_GROUP,
    ANDROID_GROUP,
    TRANSFER_GROUP,
    VIEWER_GROUP,
    WEB_CLIENT,
    WEB_GROUP,
)
from fhirstack.planes.iam.users import User, delete_user, ensure_user
from fhirstack.secret import Secret
from fhirstack.services import pipelines

PREFIX = VERIFICATION
TAG = "https://smartregister.org/care-team-tag-id"
VERIFY_TAG = pipelines.VERIFY_TAG
"""In ``meta.tag`` of every record of the checks: no programme's, and never counted as a person."""
Resource = dict[str, Any]

_PEOPLE = {
    "nurse": (ANDROID_GROUP,),
    "colleague": (ANDROID_GROUP,),
    "web": (WEB_GROUP,),
    "administrator": (WEB_GROUP, ADMINISTRATOR_GROUP),
    "mover": (WEB_GROUP, TRANSFER_GROUP),
    "viewer": (VIEWER_GROUP,),
}


@contextmanager
def cast(session: Session) -> Iterator[None]:
    """Give the session its people and records, and take them away again."""
    realm = session.environment.realm.name
    remove(session)
    try:
        people = {name: _person(session, realm, name, groups) for name, groups in _PEOPLE.items()}
        session.cast = Cast(
            nurse=people["nurse"],
            colleague=people["colleague"],
            web=people["web"],
            administrator=people["administrator"],
            mover=people["mover"],
            viewer=people["viewer"],
            app_id=PREFIX,
            team=f"{PREFIX}-nurse",
            patient=f"{PREFIX}-nurse",
            observation=f"{PREFIX}-nurse",
            other_team=f"{PREFIX}-colleague",
            other_patient=f"{PREFIX}-colleague",
            other_observation=f"{PREFIX}-colleague",
            short_lived=_short_lived_token(session, realm),
        )
        store.put(session, resources(people))
        yield
    finally:
        session.cast = None
        remove(session)


def tagged(resource: Resource) -> Resource:
    """Return a record with the tag of the checks beside its own tags."""
    meta = resource.get("meta", {})
    return {**resource, "meta": {**meta, "tag": [*meta.get("tag", []), VERIFY_TAG]}}


def resources(people: dict[str, Person]) -> list[Resource]:
    """Return the records: an application, and for each health worker a team and a patient."""
    found = [*application(), place()]
    for side in ("nurse", "colleague"):
        found += side_resources(side, people[side].user_id)
    return found


def application() -> list[Resource]:
    """Return an application's configuration with the CareTeam strategy."""
    focus = {"reference": f"Binary/{PREFIX}", "identifier": {"value": "application"}}
    section = {"title": "application", "focus": focus}
    return [
        tagged({"resourceType": "Binary", "id": PREFIX, **configuration(PREFIX, "CareTeam")}),
        tagged(composition(PREFIX, [section])),
    ]


def configuration(app: str, strategy: str) -> Resource:
    """Return the content of the Binary that says by which strategy an application synchronises."""
    config = {"appId": app, "configType": "application", "syncStrategy": [strategy]}
    data = base64.b64encode(json.dumps(config).encode()).decode()
    return {"contentType": "application/json", "data": data}


def composition(app: str, sections: list[Resource]) -> Resource:
    """Return the Composition that names all of an application's configuration."""
    return {
        "resourceType": "Composition",
        "id": app,
        "identifier": {"use": "official", "value": app},
        "status": "final",
        "type": {"text": "application configuration"},
        "date": "2026-01-01",
        "author": [{"display": "fhirstack verify"}],
        "title": "fhirstack verify",
        "section": sections,
    }


def place() -> Resource:
    """Return a place, so that there is a hierarchy to ask for."""
    return tagged({"resourceType": "Location", "id": PREFIX, "status": "active", "name": "Verify"})


def side_resources(side: str, user_id: str) -> list[Resource]:
    """Return one health worker's Practitioner, CareTeam, Patient and Observation."""
    own = f"{PREFIX}-{side}"
    found: list[Resource] = [
        {
            "resourceType": "Practitioner",
            "id": own,
            "identifier": [{"use": "secondary", "value": user_id}],
            "active": True,
        },
        care_team(own, [f"Practitioner/{own}"]),
        observation(own, own),
    ]
    return [patient(own, own), *(tagged(resource) for resource in found)]


def care_team(name: str, members: list[str]) -> Resource:
    """Return a care team with these participants."""
    return {
        "resourceType": "CareTeam",
        "id": name,
        "status": "active",
        "participant": [{"member": {"reference": member}} for member in members],
    }


def form(team: str) -> Resource:
    """Return the draft of a form, as the Android app writes it."""
    return tagged(
        {
            "resourceType": "QuestionnaireResponse",
            "id": f"{PREFIX}-form",
            "meta": {"tag": [{"system": TAG, "code": team}]},
            "status": "in-progress",
            "item": [{"linkId": "weight", "answer": [{"valueDecimal": 12.5}]}],
        }
    )


def patient(name: str, team: str) -> Resource:
    """Return a patient with a care team's tag, as the Android app writes it."""
    return tagged(
        {
            "resourceType": "Patient",
            "id": name,
            "meta": {"tag": [{"system": TAG, "code": team, "display": "Practitioner CareTeam"}]},
            "active": True,
            "name": [{"family": "Verify", "given": [name]}],
            "gender": "female",
            "birthDate": "2020-01-02",
        }
    )


def observation(name: str, team: str) -> Resource:
    """Return an observation of the patient of this name, with a care team's tag."""
    return {
        "resourceType": "Observation",
        "id": name,
        "meta": {"tag": [{"system": TAG, "code": team}]},
        "status": "final",
        "code": {"text": "weight"},
        "subject": {"reference": f"Patient/{name}"},
        "valueQuantity": {"value": 12, "unit": "kg"},
    }


def household(team: str) -> Resource:
    """Return the bundle with which a health worker's app registers a household."""
    tag = {"tag": [{"system": TAG, "code": team}, VERIFY_TAG]}
    members = [patient(f"{PREFIX}-member-{number}", team) for number in (1, 2)]
    group = {
        "resourceType": "Group",
        "id": f"{PREFIX}-household",
        "meta": tag,
        "type": "person",
        "actual": True,
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "35359004"}]},
        "name": "Verify household",
        "member": [{"entity": {"reference": f"Patient/{m['id']}"}} for m in members],
    }
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [put(resource) for resource in [*members, group]],
    }


def put(resource: Resource) -> Resource:
    """Return the entry of a bundle that writes a record."""
    url = f"{resource['resourceType']}/{resource['id']}"
    return {"resource": resource, "request": {"method": "PUT", "url": url}}


def _person(session: Session, realm: str, name: str, groups: tuple[str, ...]) -> Person:
    password = Secret(secrets.token_urlsafe(24))
    username = f"{PREFIX}-{name}"
    until = datetime.now(UTC) + timedelta(hours=1)
    # A health worker may well have neither an address nor a second name.
    is_bare = name == "colleague"
    user = User(
        username=username,
        first_name="Verify",
        last_name="" if is_bare else f"{name.title()}, not needed after {until:%Y-%m-%d %H:%M} UTC",
        email="" if is_bare else f"{username}@{session.environment.domain}",
        app_id=PREFIX,
        groups=groups,
        enabled=False,
    )
    return Person(username, password, ensure_user(session.admin, realm, user, password))


def _short_lived_token(session: Session, realm: str) -> str:
    """Return a token like the pipelines', that ends after a second: from a client made for it."""
    secret = Secret(secrets.token_urlsafe(24))
    claims = {
        "azp": session.environment.realm.clients.pipelines.id,
        "fhir_core_app_id": PREFIX,
    }
    session.admin.post(
        f"/{realm}/clients",
        {
            "clientId": PREFIX,
            "secret": secret.reveal(),
            "publicClient": False,
            "standardFlowEnabled": False,
            "serviceAccountsEnabled": True,
            "attributes": {"access.token.lifespan": "1"},
            "protocolMappers": [
                {
                    "name": name,
                    "protocol": "openid-connect",
                    "protocolMapper": "oidc-hardcoded-claim-mapper",
                    "config": {
                        "claim.name": name,
                        "claim.value": value,
                        "jsonType.label": "String",
                        "access.token.claim": "true",
                    },
                }
                for name, value in claims.items()
            ],
        },
    )
    user = session.admin.get(f"/{realm}/users", username=f"service-account-{PREFIX}")
    role = session.admin.get(f"/{realm}/roles/{WEB_CLIENT}")
    session.admin.post(f"/{realm}/users/{user[0]['id']}/role-mappings/realm", [role])
    response = session.http.post(
        session.token_endpoint,
        data={"grant_type": "client_credentials"},
        auth=(PREFIX, secret.reveal()),
    )
    if response.status_code != 200:
        raise UnreachableError(f"no token for {PREFIX}: {response.status_code} {response.text}")
    return str(response.json()["access_token"])


_KINDS = (
    "QuestionnaireResponse", "Observation", "Group", "Patient", "CareTeam", "Practitioner",
    "Location", "Composition",
    "Binary",
)  # fmt: skip


def remove(session: Session) -> None:
    """Delete every user and record of the checks; nothing there is fine."""
    remove_people(session)
    remove_records(session)


def remove_people(session: Session) -> None:
    """Delete every user of the checks, and their client."""
    realm = session.environment.realm.name
    for name in _PEOPLE:
        delete_user(session.admin, realm, f"{PREFIX}-{name}")
    for client in session.admin.get(f"/{realm}/clients", clientId=PREFIX) or []:
        session.admin.delete(f"/{realm}/clients/{client['id']}")


def remove_records(session: Session) -> None:
    """Delete every record of the checks."""
    names = [PREFIX, *(f"{PREFIX}-{end}" for end in ("nurse", "colleague", "household"))]
    made = ("member-1", "member-2", "created", "carried", "form", "moving", "planted")
    names += [f"{PREFIX}-{end}" for end in made]
    store.remove(session, (f"{kind}/{name}" for kind in _KINDS for name in names))
