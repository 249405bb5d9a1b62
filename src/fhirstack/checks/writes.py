"""Checks of what is written: corrected forms, patients who move, what nobody may plant."""

import base64
import json
from typing import Any

from fhirstack.checks import fixtures
from fhirstack.checks.check import Check, FailedError, refused, require, status_is
from fhirstack.checks.session import Session

ASSIGNED = {"coding": [{"system": "http://snomed.info/sct", "code": "405623001"}]}
"""The code of the Group by which FHIR Web assigns a practitioner."""

_Resource = dict[str, Any]


def _transaction(*entries: _Resource) -> _Resource:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def _patch(target: str, version: str, *operations: _Resource) -> _Resource:
    """Return a patch as the Android FHIR SDK sends it."""
    data = base64.b64encode(json.dumps(operations).encode()).decode()
    return {
        "fullUrl": target,
        "resource": {
            "resourceType": "Binary",
            "contentType": "application/json-patch+json",
            "data": data,
        },
        "request": {"method": "PATCH", "url": target, "ifMatch": f'W/"{version}"'},
    }


def _tag_ids(resource: _Resource) -> set[str]:
    tags = resource.get("meta", {}).get("tag", [])
    return {str(tag.get("code")) for tag in tags if tag.get("system") == fixtures.TAG}


def corrected_form(session: Session) -> str:
    people = session.people
    target = f"QuestionnaireResponse/{fixtures.PREFIX}-form"
    form = fixtures.form(people.team)
    written = session.fhir("PUT", target, people.nurse, json=form)
    status_is(written, 200, 201)
    version = written.json()["meta"]["versionId"]
    made = {
        "resourceType": "List",
        "id": "made",
        "status": "current",
        "mode": "working",
        "entry": [{"item": {"reference": f"Patient/{people.patient}"}}],
    }
    finish = _patch(
        target,
        version,
        {"op": "replace", "path": "/status", "value": "completed"},
        {"op": "add", "path": "/contained", "value": [made]},
    )
    answer = session.fhir("POST", "", people.nurse, json=_transaction(finish))
    status_is(answer, 200, what="a PATCH that adds a contained List")
    stored = session.fhir("GET", target, people.nurse).json()
    require(stored["status"] == "completed" and "contained" in stored, "the patch is not there")
    require(_tag_ids(stored) == {people.team}, f"its team is {sorted(_tag_ids(stored))}")
    again = session.fhir("POST", "", people.nurse, json=_transaction(finish))
    status_is(again, 409, 412, what="the same PATCH of an older version")
    version = stored["meta"]["versionId"]
    values: dict[str, _Resource] = {
        "/contained/0/entry/-": {"item": {"reference": "Patient?family=Verify"}},
        "/meta/tag/-": {"system": fixtures.TAG, "code": people.other_team},
    }
    for place, value in values.items():
        operation = {"op": "add", "path": place, "value": value}
        bundle = _transaction(_patch(target, version, operation))
        refused(
            session.fhir("POST", "", people.nurse, json=bundle), 403, what=f"a patch of {place}"
        )
    return "a draft is finished by a PATCH with a contained List; a search or a team in one: 403"


MOVING = f"{fixtures.PREFIX}-moving"
"""The patient who moves, and what was recorded of it."""


def moved_patient(session: Session) -> str:
    people, path = session.people, f"Patient/{MOVING}"
    there, away = _moving(people.team), _moving(people.other_team)
    status_is(session.fhir("PUT", path, people.nurse, json=there), 200, 201)
    refused(session.fhir("PUT", path, people.nurse, json=away), 403, what="by one team alone")
    _participants(session, people.other_team, "colleague", "nurse")
    try:
        status_is(session.fhir("PUT", path, people.nurse, json=away), 200, what="the move")
    finally:
        _participants(session, people.other_team, "colleague")
    _belongs_to_the_other(session)
    return "who belongs to both teams moves a patient; the old team reads nothing of it any more"


def transferred_patient(session: Session) -> str:
    people, path = session.people, f"Patient/{MOVING}"
    there, away = _moving(people.team), _moving(people.other_team)
    status_is(session.fhir("PUT", path, people.mover, json=there), 200, 201, what="the way back")
    for person in (people.web, people.administrator, people.colleague):
        refused(session.fhir("PUT", path, person, json=away), 403, what=f"by {person.username}")
    # A patient moves with what was recorded of it.
    weight = fixtures.tagged(fixtures.observation(MOVING, people.other_team))
    move = _transaction(fixtures.put(away), fixtures.put(weight))
    status_is(session.fhir("POST", "", people.mover, json=move), 200, what="the move")
    _belongs_to_the_other(session)
    refused(session.fhir("GET", f"Observation/{MOVING}", people.nurse), 403, what="its Observation")
    status_is(session.fhir("GET", f"Observation/{MOVING}", people.colleague), 200)
    refused(
        session.fhir("DELETE", path, people.mover), 403, what="a deletion by who moves patients"
    )
    return "who is in the group for it moves a patient; web users, administrators, others do not"


def _moving(team: str) -> fixtures.Resource:
    return fixtures.patient(MOVING, team)


def _belongs_to_the_other(session: Session) -> None:
    people, path = session.people, f"Patient/{MOVING}"
    for road in (path, f"{path}/_history/1", f"{path}/_history", f"{path}/$everything"):
        refused(session.fhir("GET", road, people.nurse), 403, what=f"the old team's GET {road}")
    found = session.fhir("GET", f"Patient?_id={MOVING}", people.nurse)
    require("entry" not in found.json(), "the old team's sync still has the patient")
    read = session.fhir("GET", path, people.colleague)
    status_is(read, 200, what="the new team's read")
    require(_tag_ids(read.json()) == {people.other_team}, f"tags: {sorted(_tag_ids(read.json()))}")
    found = session.fhir("GET", f"Patient?_id={MOVING}", people.colleague)
    require(len(found.json().get("entry", [])) == 1, "the new team's sync has not the patient")


def _participants(session: Session, team: str, *sides: str) -> None:
    members = [f"Practitioner/{fixtures.PREFIX}-{side}" for side in sides]
    body = fixtures.tagged(fixtures.care_team(team, members))
    administrator = session.people.administrator
    status_is(session.fhir("PUT", f"CareTeam/{team}", administrator, json=body), 200)


def existence(session: Session) -> str:
    people = session.people
    told = {people.other_patient: "another's", f"{fixtures.PREFIX}-none": "what is not there"}
    for road in ("", "/_history/1", "/_history", "/$everything"):
        answers = set()
        for name in told:
            response = session.fhir("GET", f"Patient/{name}{road}", people.nurse)
            refused(response, 403)
            answers.add(response.json()["issue"][0]["diagnostics"].replace(name, "ID"))
        require(len(answers) == 1, f"GET Patient/…{road} tells: {sorted(answers)}")
    return "read, version, history and $everything: another's is answered as what is not there"


def planted(session: Session) -> str:
    people = session.people
    name = f"{fixtures.PREFIX}-planted"
    member = {"entity": {"reference": f"Practitioner/{fixtures.PREFIX}-colleague"}}
    group = {
        "resourceType": "Group",
        "id": name,
        "meta": {"tag": [{"system": fixtures.TAG, "code": people.team}, fixtures.VERIFY_TAG]},
        "type": "practitioner",
        "actual": True,
        "code": ASSIGNED,
        "member": [member],
    }
    refused(session.fhir("PUT", f"Group/{name}", people.nurse, json=group), 403, what="the Group")
    plain = {key: value for key, value in group.items() if key != "code"}
    written = session.fhir("PUT", f"Group/{name}", people.nurse, json=plain)
    status_is(written, 200, 201)
    operation = {"op": "add", "path": "/code", "value": ASSIGNED}
    bundle = _transaction(_patch(f"Group/{name}", written.json()["meta"]["versionId"], operation))
    refused(session.fhir("POST", "", people.nurse, json=bundle), 403, what="the code by a patch")
    own = session.fhir(
        "GET", f"PractitionerDetail?keycloak-uuid={people.colleague.user_id}", people.colleague
    )
    status_is(own, 200)
    if name in own.text:
        raise FailedError("the colleague's PractitionerDetail shows the nurse's Group")
    return "a Group that would assign a colleague: 403, also by a patch; her details show none"


def same_condition(session: Session) -> str:
    people = session.people
    condition = f"Group?identifier=urn:fhirstack:verify|{fixtures.PREFIX}-twice"
    body = {
        "resourceType": "Group",
        "meta": {"tag": [fixtures.VERIFY_TAG]},
        "type": "person",
        "actual": True,
        "identifier": [{"system": "urn:fhirstack:verify", "value": f"{fixtures.PREFIX}-twice"}],
    }
    entries = [
        {
            "fullUrl": f"urn:uuid:00000000-0000-4000-8000-00000000000{number}",
            "resource": body,
            "request": {"method": "PUT", "url": condition},
        }
        for number in (1, 2)
    ]
    search = {"request": {"method": "GET", "url": "Patient?_count=1&_revinclude=*"}}
    response = session.fhir("POST", "", people.administrator, json=_transaction(*entries, search))
    refused(response, 400, what="two entries with one condition")
    require("Patient/" not in response.text, "the answer shows a patient")
    left = session.fhir("GET", condition, people.administrator)
    require("entry" not in left.json(), "one of the two was written all the same")
    return "two entries with one condition, and a search: 400, nothing written, nothing shown"


CHECKS = (
    Check(
        "android.corrected-form",
        "services.fhir-gateway",
        "A form is corrected",
        corrected_form,
        writes=("QuestionnaireResponse",),
    ),
    Check(
        "android.moved-patient",
        "services.fhir-gateway",
        "A patient moves",
        moved_patient,
        writes=("Patient",),
    ),
    Check(
        "web.moved-patient",
        "services.fhir-gateway",
        "Who may transfer moves a patient",
        transferred_patient,
        writes=("Patient", "Observation"),
    ),
    Check("android.existence", "services.fhir-gateway", "Existence is not told", existence),
    Check(
        "android.planted",
        "services.fhir-gateway",
        "Nobody assigns a colleague",
        planted,
        writes=("Group",),
    ),
    Check("web.same-condition", "services.fhir-gateway", "One resource, one entry", same_condition),
)
