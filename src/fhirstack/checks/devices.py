"""What a replay of the Android app's life needs: an application, people, places and records.

For each sync strategy one application, a health worker with a device and one of another team, each
assigned as the strategy wants it and no further, so that tags of other kinds are "Not defined" as
on real devices. All ids begin alike, and are removed before and after.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from fhirstack.checks import store
from fhirstack.checks.fixtures import PREFIX, VERIFY_TAG, composition, configuration, tagged
from fhirstack.checks.session import Person, Session
from fhirstack.clients.contract import As, Strategy
from fhirstack.clients.load import contract
from fhirstack.clients.written import written
from fhirstack.demo.fhir import references
from fhirstack.planes.iam.roles import ANDROID_GROUP
from fhirstack.planes.iam.users import User, delete_user, ensure_user
from fhirstack.secret import Secret

Resource = dict[str, Any]

SYSTEM = "https://smartregister.org/"
TAGS = {
    Strategy.CARE_TEAM: "care-team-tag-id",
    Strategy.ORGANIZATION: "organisation-tag-id",
    Strategy.LOCATION: "location-tag-id",
    Strategy.RELATED: "related-entity-location-tag-id",
}
GUIDE = "ImplementationGuide"
NONE = "Not defined"
"""What the app writes in a tag's code for an assignment that the health worker does not have."""
SIDES = ("own", "other")
FULL, FULLEST = 40, 500
"""Entries of a full bundle: in `verify`, and the app's, which leave as many deleted versions."""
BATCH = 20
"""How many records the app asks for in one batch."""


@dataclass(frozen=True)
class Scene:
    """What is there for one strategy: what the contract's placeholders stand for, and who acts."""

    strategy: Strategy
    values: Mapping[str, str]
    people: Mapping[As, Person]


@contextmanager
def scene(session: Session, strategy: Strategy, full: int = FULL) -> Iterator[Scene]:
    """Make all that a device needs, and take it and what the device made away again."""
    app = app_of(strategy)
    remove_people(session, strategy)
    remove_records(session, strategy)
    try:
        people = {side: _person(session, f"{app}-{side}", app) for side in SIDES}
        ids = {side: person.user_id for side, person in people.items()}
        store.put(session, resources(strategy, ids))
        session.wake(people["own"])
        yield Scene(
            strategy,
            {
                **values(session, strategy, ids, people["own"].password.reveal(), full),
                **site_values(session),
            },
            {As.WORKER: people["own"], As.COLLEAGUE: people["other"]},
        )
    finally:
        session.rest()
        remove_people(session, strategy)
        remove_records(session, strategy, full=full)


def remove_people(session: Session, *strategies: Strategy) -> None:
    """Delete the users of these strategies' scenes."""
    realm = session.environment.realm.name
    for strategy in strategies:
        for side in SIDES:
            delete_user(session.admin, realm, f"{app_of(strategy)}-{side}")


def remove_records(session: Session, *strategies: Strategy, full: int = FULLEST) -> None:
    """Delete the records of these strategies' scenes, and what their devices wrote.

    A scene's records come in one transaction, before all that its device writes, and its
    Composition goes last: where that one is not, nothing is.
    """
    nobody = dict.fromkeys(SIDES, "")
    for strategy in strategies:
        last = f"Composition/{app_of(strategy)}"
        if session.backend.get(f"/{last}").status_code in (404, 410):
            continue
        made = [name_of(resource) for resource in resources(strategy, nobody)]
        given = values(session, strategy, nobody, "", full)
        names = [*made, *written(contract("android"), given)]
        store.remove(session, (name for name in names if name != last))
        store.remove(session, [last])


def app_of(strategy: Strategy) -> str:
    """Return the id of a strategy's application, with which all ids of its records begin."""
    return f"{PREFIX}-{strategy.value.lower()}"


def name_of(resource: Resource) -> str:
    """Return ``Type/id``."""
    return f"{resource['resourceType']}/{resource['id']}"


def values(
    session: Session, strategy: Strategy, users: Mapping[str, str], password: str, full: int
) -> dict[str, str]:
    """Return what the contract's placeholders stand for."""
    environment, app = session.environment, app_of(strategy)
    own = f"{app}-own"
    tags = {
        Strategy.CARE_TEAM: {"team_tag": own},
        Strategy.ORGANIZATION: {"organization_tag": own},
        Strategy.LOCATION: {"organization_tag": own, "location_tag": own},
        Strategy.RELATED: {"organization_tag": own, "location_tag": own},
    }[strategy]
    tags = {"team_tag": NONE, "organization_tag": NONE, "location_tag": NONE, **tags}
    return {
        "fhir": environment.fhir_base,
        "root": environment.url("fhir"),
        "issuer": environment.issuer,
        "client": environment.realm.clients.android.id,
        "app": app,
        "unknown_app": f"{PREFIX}-nobody-s",
        "user": own,
        "password": password,
        "sub": users["own"],
        "practitioner": own,
        **tags,
        "organization_query": quote_plus(tags["organization_tag"]),
        "location": own,
        "place_below": f"{own}-below",
        "strategy_system": SYSTEM + TAGS[strategy],
        "strategy_code": _assigning(strategy, own),
        "own": own,
        "other": f"{app}-other",
        "run": f"{app}-new",
        "many": str(full),
        "mark_system": VERIFY_TAG["system"],
        "mark_code": VERIFY_TAG["code"],
    }


def site_values(session: Session) -> dict[str, str]:
    """Return what is there of the programme's own application, which the first screen asks for."""
    application = session.environment.application
    guides = _found(
        session,
        GUIDE,
        {"name:exact": application.id, "context-quantity": "le19", "_count": "1"},
    )
    compositions = _found(session, "Composition", {"identifier": application.id})
    values = {
        "site_app": application.id,
        "site_guides": str(len(guides)),
        "site_compositions": str(len(compositions)),
    }
    if compositions and compositions[0]["id"] in application.public_compositions:
        values["site_composition"] = compositions[0]["id"]
        values["site_version"] = compositions[0]["meta"]["versionId"]
    if compositions and application.public_binaries:
        binaries = application.public_binaries[:BATCH]
        values["site_binaries"] = ",".join(binaries)
        values["site_binary_count"] = str(len(binaries))
    if compositions and application.public_parameters:
        values["site_parameters"] = ",".join(application.public_parameters[:BATCH])
    named = [name.partition("/") for name in references(compositions)]
    if forms := [name for kind, _, name in named if kind == "Questionnaire"]:
        values["site_forms"] = ",".join(forms[:BATCH])
    return values


def _found(session: Session, kind: str, query: Mapping[str, str]) -> list[Resource]:
    response = session.backend.get(
        f"/{kind}", params=dict(query), headers={"Cache-Control": "no-cache"}
    )
    response.raise_for_status()
    return [entry["resource"] for entry in response.json().get("entry", [])]


def _assigning(strategy: Strategy, side: str) -> str:
    """Return the code with which records of a side are tagged: of a place, the one below."""
    below = strategy in (Strategy.LOCATION, Strategy.RELATED)
    return f"{side}-below" if below else side


def resources(strategy: Strategy, users: Mapping[str, str]) -> list[Resource]:
    """Return all records of a strategy, whose users have these ids."""
    app = app_of(strategy)
    found = application(app, strategy)
    for side in SIDES:
        name = f"{app}-{side}"
        found += [*assignment(strategy, name, users[side]), *records(strategy, name)]
    return [tagged(resource) for resource in found]


def application(app: str, strategy: Strategy) -> list[Resource]:
    """Return an application's configuration: one record of each type that the app fetches."""
    kinds: dict[str, Resource] = {
        "Questionnaire": {"status": "active", "item": [{"linkId": "a", "type": "string"}]},
        "StructureMap": {
            "url": f"http://fhirstack.org/StructureMap/{app}",
            "name": "Verify",
            "status": "active",
            "group": [
                {"name": "a", "typeMode": "none", "input": [{"name": "a", "mode": "source"}]}
            ],
        },
        "PlanDefinition": {"status": "active"},
        "Library": {"status": "active", "type": {"text": "logic"}},
        "Measure": {"status": "active", "url": f"http://fhirstack.org/Measure/{app}"},
        "Basic": {"code": {"text": "configuration"}},
        "Parameters": {"parameter": [{"name": "a", "valueString": "b"}]},
        "Binary": configuration(app, strategy.value),
        "List": {
            "status": "current",
            "mode": "working",
            "entry": [
                {"item": {"reference": f"{kind}/{app}"}}
                for kind in ("Questionnaire", "Library", "StructureMap")
            ],
        },
    }
    found = [{"resourceType": kind, "id": app, **more} for kind, more in kinds.items()]
    sections = [{"title": kind, "focus": _focus(kind, app)} for kind in kinds]
    return [*found, composition(app, sections)]


def _focus(kind: str, app: str) -> Resource:
    name = "application" if kind == "Binary" else kind.lower()
    return {"reference": f"{kind}/{app}", "identifier": {"value": name}}


def assignment(strategy: Strategy, name: str, user_id: str) -> list[Resource]:
    """Return a Practitioner and what assigns the strategy's team, organization or place."""

    def one(kind: str, name: str, /, **more: Any) -> Resource:
        return {"resourceType": kind, "id": name, **more}

    practitioner = {"reference": f"Practitioner/{name}"}
    organization = {"reference": f"Organization/{name}"}
    place = {"reference": f"Location/{name}"}
    identifier = [{"use": "secondary", "value": user_id}]
    found = [one("Practitioner", name, identifier=identifier, active=True)]
    if strategy is Strategy.CARE_TEAM:
        member = [{"member": practitioner}]
        return [*found, one("CareTeam", name, status="active", participant=member)]
    role = one("PractitionerRole", name, practitioner=practitioner, organization=organization)
    found += [one("Organization", name, active=True, name="Verify"), role]
    if strategy is not Strategy.ORGANIZATION:
        below = f"{name}-below"
        found += [
            one("Location", name, status="active", name="Verify"),
            one("Location", below, status="active", name="Verify below", partOf=place),
            one("OrganizationAffiliation", name, organization=organization, location=[place]),
            # One without a location: OpenSRP's own image answers 500 to it.
            one("OrganizationAffiliation", f"{name}-nowhere", organization=organization),
        ]
    return found


def records(strategy: Strategy, name: str) -> list[Resource]:
    """Return the records of a team that are on the server already."""
    tag = {"system": SYSTEM + TAGS[strategy], "code": _assigning(strategy, name)}
    subject = {"reference": f"Patient/{name}-1"}
    kinds: dict[str, Resource] = {
        "Patient": {"active": True, "name": [{"family": "Verify"}], "birthDate": "2020-01-02"},
        "Observation": {"status": "final", "code": {"text": "weight"}, "subject": subject},
        "Condition": {"code": {"text": "fever"}, "subject": subject},
        "Encounter": {"status": "finished", "class": {"code": "HH"}, "subject": subject},
        "Task": {"status": "ready", "intent": "plan", "for": subject},
        "Group": {"type": "person", "actual": True, "member": [{"entity": subject}]},
    }
    return [
        {"resourceType": kind, "id": f"{name}-{number}", "meta": {"tag": [tag]}, **more}
        for kind, more in kinds.items()
        for number in (1, 2, 3)
    ]


def _person(session: Session, username: str, app: str) -> Person:
    """Make a health worker who sleeps; as many, without an address and a second name."""
    password = Secret(secrets.token_urlsafe(24))
    user = User(
        username=username,
        first_name="Verify",
        last_name="",
        email="",
        app_id=app,
        groups=(ANDROID_GROUP,),
        enabled=False,
    )
    realm = session.environment.realm.name
    return Person(username, password, ensure_user(session.admin, realm, user, password))
