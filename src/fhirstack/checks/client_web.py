"""FHIR Web's contract, replayed: what its pages ask of the gateway and of Keycloak.

That needs no FHIR Web: where its pages are not installed, the gateway on their origin and
Keycloak's admin API answer all the same.
"""

import secrets
from collections.abc import Callable
from uuid import NAMESPACE_URL, uuid5

from fhirstack.checks import fixtures, web_pages
from fhirstack.checks.check import Check, require
from fhirstack.checks.session import Session
from fhirstack.checks.tokens import log_in
from fhirstack.clients.contract import As
from fhirstack.clients.load import contract
from fhirstack.clients.player import play
from fhirstack.errors import UnreachableError
from fhirstack.planes.iam.users import delete_user

NEW = str(uuid5(NAMESPACE_URL, "https://fhirstack.org/verify/web"))
"""The id of whatever the replay writes: the same in each run, so that nothing is left behind."""
NEW_USER = f"{fixtures.PREFIX}-made"
NEW_GROUP = f"{fixtures.PREFIX}-made"
NOWHERE = f"{fixtures.PREFIX}-nowhere"

_WRITTEN = (
    "PractitionerRole", "CareTeam", "HealthcareService", "List", "Group",
    "OrganizationAffiliation", "Organization", "Location", "Practitioner", "Binary",
    "Questionnaire",
)  # fmt: skip


def replay(session: Session) -> str:
    pages = web_pages.read(session)
    people = session.people
    root = pages["FHIR_ROOT_LOCATION_ID"]
    there = session.backend.get(f"/Location/{root}").status_code == 200
    values = {
        "fhir": pages["FHIR_API_BASE_URL"],
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
    }
    _remove(session)
    try:
        played = play(contract("fhir-web"), values, session.http, _tokens(session))
    finally:
        _remove(session)
    failures = [str(failure) for failure in played.failures]
    require(not failures, f"{len(failures)} of {played.requests} requests: " + "; ".join(failures))
    place = "" if there else f"; its root location {root} is not there yet: its wizard makes it"
    return f"{played.requests} requests of {contract('fhir-web').client}{place}"


def _tokens(session: Session) -> Callable[[As], str]:
    """Return what gives tokens as FHIR Web gets them: by code, for its own client."""
    people = {As.WEB: session.people.web, As.ADMINISTRATOR: session.people.administrator}
    found: dict[As, str] = {}

    def token(acts: As) -> str:
        if acts not in found:
            found[acts] = log_in(session, people[acts])["access_token"]
        return found[acts]

    return token


def _remove(session: Session) -> None:
    """Delete what the replay made; nothing there is fine."""
    realm = session.environment.realm.name
    for name in (NEW_USER, f"{NEW_USER}-2"):
        delete_user(session.admin, realm, name)
    for group in session.admin.get(f"/{realm}/groups", search=NEW_GROUP, exact="true"):
        session.admin.delete(f"/{realm}/groups/{group['id']}")
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"request": {"method": "DELETE", "url": f"{kind}/{NEW}"}}
            for kind in _WRITTEN
            if session.backend.get(f"/{kind}/{NEW}").status_code == 200
        ],
    }
    if bundle["entry"]:
        headers = {"Content-Type": "application/fhir+json"}
        answer = session.backend.post("", json=bundle, headers=headers)
        if answer.status_code != 200:
            raise UnreachableError(f"its records are not deleted: {answer.text[:300]}")


CHECKS = (Check("client.web", "client.web.grant", "What FHIR Web sends is answered", replay),)
