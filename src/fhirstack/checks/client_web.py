"""FHIR Web's contract, replayed: what its pages ask of the gateway and of Keycloak.

That needs no FHIR Web: where its pages are not installed, the gateway on their origin and
Keycloak's admin API answer all the same.
"""

import secrets
from collections.abc import Callable
from uuid import NAMESPACE_URL, uuid5

from fhirstack.checks import fixtures, store, web_pages
from fhirstack.checks.check import Check, require, status_is
from fhirstack.checks.code_grant import log_in
from fhirstack.checks.session import Session
from fhirstack.clients.contract import As
from fhirstack.clients.load import contract
from fhirstack.clients.player import play
from fhirstack.model.records import WEB_WRITTEN
from fhirstack.planes.iam.users import delete_user

NEW = str(uuid5(NAMESPACE_URL, "https://fhirstack.org/verify/web"))
"""The id of whatever the replay writes: the same in each run, so that nothing is left behind."""
NEW_USER = f"{fixtures.PREFIX}-made"
NEW_GROUP = f"{fixtures.PREFIX}-made"
NOWHERE = f"{fixtures.PREFIX}-nowhere"

PERMITTED = {"group_made": "403", "roles_offered": "200", "roles_listed": "403"}
"""What the platform's permissions give administrators of users: to see groups, with the roles that
they may give (none), and neither to make groups nor to see all roles."""

_WRITTEN = (
    "PractitionerRole", "CareTeam", "HealthcareService", "List", "Group",
    "OrganizationAffiliation", "Organization", "Location", "Practitioner", "Binary",
    "Questionnaire", "ValueSet", "QuestionnaireResponse", "Observation", "Encounter", "Flag",
)  # fmt: skip

_SERVICE_POINTS = {
    "service_point_types": "eusm-service-point-type",
    "unicef_sections": "eusm-unicef-sections",
    "donors": "eusm-donors",
}
"""By placeholder: the value sets that FHIR Web asks for by name, which a programme may load."""


def replay(session: Session) -> str:
    pages = web_pages.read(session)
    people = session.people
    root = pages["FHIR_ROOT_LOCATION_ID"]
    there = session.backend.get(f"/Location/{root}").status_code == 200
    values = {
        "fhir": pages["FHIR_API_BASE_URL"],
        "public": session.environment.fhir_base,
        "keycloak": pages["KEYCLOAK_API_BASE_URL"],
        "origin": pages["DOMAIN_NAME"],
        "root": root if there else fixtures.PREFIX,
        "nowhere": NOWHERE,
        "app": people.app_id,
        "patient": people.patient,
        "practitioner": f"{fixtures.PREFIX}-nurse",
        "practitioner_user": people.nurse.user_id,
        "team": people.team,
        "new": NEW,
        "new_user": NEW_USER,
        "new_group": NEW_GROUP,
        "password": secrets.token_urlsafe(24),
        **loaded(session),
        **PERMITTED,
        "mark_system": fixtures.VERIFY_TAG["system"],
        "mark_code": fixtures.VERIFY_TAG["code"],
    }
    withheld = set(WEB_WRITTEN) - set(session.environment.fhir_web.writes)
    remove_people(session)
    remove_records(session)
    try:
        store.put(session, [_value_set(values["value_set"])])
        played = play(
            contract("fhir-web"),
            values,
            session.http,
            _tokens(session),
            withheld={As.ADMINISTRATOR: withheld},
        )
    finally:
        remove_people(session)
        remove_records(session)
    failures = [str(failure) for failure in played.failures]
    require(not failures, f"{len(failures)} of {played.requests} requests: " + "; ".join(failures))
    place = "" if there else f"; its root location {root} is not there yet: its wizard makes it"
    less = f"; refused, as fhir_web.writes has less: {', '.join(played.refused)}"
    refused = less if played.refused else ""
    return f"{played.requests} requests of {contract('fhir-web').client}{place}{refused}"


def loaded(session: Session) -> dict[str, str]:
    """Return which value sets the store holds, and the addresses of one that it does and one not.

    An expansion of what a server holds is a ValueSet, 200; what it does not hold it does not find,
    404 (FHIR R4, operation ``expand`` and ``http.html``). The two addresses are others in each run:
    the server remembers for a while what it had and had not.
    """
    run = f"http://fhirstack.org/ValueSet/{secrets.token_hex(8)}"
    found = {"value_set": run, "no_value_set": f"{run}-none"}
    for name, value_set in _SERVICE_POINTS.items():
        url = f"http://smartregister.org/ValueSet/{value_set}"
        query = {"url": url, "_summary": "count"}
        answer = session.backend.get(
            "/ValueSet", params=query, headers={"Cache-Control": "no-cache"}
        )
        status_is(answer, 200, what=f"the FHIR server's search of {url}")
        found[name] = "200" if answer.json()["total"] else "404"
    return found


def _value_set(url: str) -> store.Resource:
    concept = [{"code": "clinic", "display": "Clinic"}]
    system = f"{url}/codes"
    return fixtures.tagged(
        {
            "resourceType": "ValueSet",
            "id": NEW,
            "url": url,
            "status": "active",
            "compose": {"include": [{"system": system, "concept": concept}]},
        }
    )


def _tokens(session: Session) -> Callable[[As], str]:
    """Return what gives tokens as FHIR Web gets them: by code, for its own client."""
    people = {As.WEB: session.people.web, As.ADMINISTRATOR: session.people.administrator}
    found: dict[As, str] = {}

    def token(acts: As) -> str:
        if acts not in found:
            found[acts] = log_in(session, people[acts])["access_token"]
        return found[acts]

    return token


def remove_people(session: Session) -> None:
    """Delete the users and groups that the replay made; nothing there is fine."""
    realm = session.environment.realm.name
    for name in (NEW_USER, f"{NEW_USER}-2"):
        delete_user(session.admin, realm, name)
    found = session.admin.get(f"/{realm}/groups", search=NEW_GROUP, exact="true")
    for group in found or []:
        session.admin.delete(f"/{realm}/groups/{group['id']}")


def remove_records(session: Session) -> None:
    """Delete the records that the replay made; nothing there is fine."""
    names = (NEW, f"{NEW}-import")
    store.remove(session, (f"{kind}/{name}" for kind in _WRITTEN for name in names))


CHECKS = (Check("client.web", "client.web.grant", "What FHIR Web sends is answered", replay),)
