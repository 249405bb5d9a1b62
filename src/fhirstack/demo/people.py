"""The demo programme's people: who logs in, and what each of them is in FHIR."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from fhirstack.demo.fhir import SNOMED, Named, Resource, coding, concept, identifiers
from fhirstack.errors import UsageError

# Keycloak groups. A user is in one of the first two only: the gateway refuses a token that has
# both of the roles ANDROID_CLIENT and WEB_CLIENT, or neither.
ANDROID_PRACTITIONER = "ANDROID_PRACTITIONER"
WEB_PRACTITIONER = "WEB_PRACTITIONER"
SUPERVISOR = "SUPERVISOR"
ADMINISTRATOR = "ADMINISTRATOR"

DEFAULT_APP_ID = "opensrp"

_KUID = coding("http://hl7.org/fhir/identifier-type", "KUID", "Keycloak user ID")
_PRACTITIONER_CODE = coding(SNOMED, "405623001", "Assigned practitioner")
_SUPERVISOR_CODE = coding(SNOMED, "236321002", "Supervisor (occupation)")


class Duty(StrEnum):
    """What a demo user does in the programme."""

    HEALTH_WORKER = "health worker"
    SUPERVISOR = "supervisor"
    ADMINISTRATOR = "web administrator"


@dataclass(frozen=True)
class DemoUser:
    """A Keycloak user to create, and the practitioner it stands for."""

    username: str
    first: str
    last: str
    duty: Duty
    groups: tuple[str, ...]
    app_id: str

    @property
    def email(self) -> str:
        """An address in a domain that RFC 2606 keeps for examples."""
        return f"{self.username}@example.org"

    @property
    def practitioner(self) -> Named:
        """The user's Practitioner."""
        return Named(
            "Practitioner", f"demo-practitioner-{self.username}", f"{self.first} {self.last}"
        )


_HEALTH_WORKER_GROUPS = (ANDROID_PRACTITIONER,)
_PEOPLE: tuple[tuple[str, str, str, Duty, tuple[str, ...]], ...] = (
    ("amina", "Amina", "Odera", Duty.HEALTH_WORKER, _HEALTH_WORKER_GROUPS),
    ("baraka", "Baraka", "Mwangi", Duty.HEALTH_WORKER, _HEALTH_WORKER_GROUPS),
    ("chiku", "Chiku", "Tembo", Duty.SUPERVISOR, (ANDROID_PRACTITIONER, SUPERVISOR)),
    ("daudi", "Daudi", "Kamau", Duty.ADMINISTRATOR, (WEB_PRACTITIONER, ADMINISTRATOR)),
)


def users(app_id: str = DEFAULT_APP_ID) -> tuple[DemoUser, ...]:
    """Return the users to create in Keycloak, each with its groups' names."""
    return tuple(DemoUser(*person, app_id=app_id) for person in _PEOPLE)


def user(username: str) -> DemoUser:
    """Return one user by name. Raises KeyError."""
    return {person.username: person for person in users()}[username]


def practitioner_resources(
    keycloak_ids: Mapping[str, str], organizations: Mapping[str, Named]
) -> list[Resource]:
    """Return Practitioner, Group and PractitionerRole of every user, as FHIR Web writes them.

    ``keycloak_ids`` maps usernames to Keycloak user ids; ``organizations`` maps usernames to
    where they work. Source: FHIR Web's user form, and the same three in onaio/fhir-tooling
    ``importer/json_payloads/user_resources_payload.json``. Raises UsageError for a user without
    a Keycloak id: the gateway would answer 500 to that user's every request.
    """
    missing = sorted(person.username for person in users() if not keycloak_ids.get(person.username))
    if missing:
        raise UsageError(
            f"no Keycloak user id is known for {', '.join(missing)}",
            where="demo programme",
            remedy="Create the demo users in Keycloak first.",
        )
    resources: list[Resource] = []
    for person in users():
        keycloak_id = keycloak_ids[person.username]
        resources += (
            _practitioner(person, keycloak_id),
            _group(person, keycloak_id),
            _role(person, keycloak_id, organizations.get(person.username)),
        )
    return resources


def _practitioner(person: DemoUser, keycloak_id: str) -> Resource:
    keycloak = {"use": "secondary", "type": concept(_KUID), "value": keycloak_id}
    return {
        "resourceType": "Practitioner",
        "id": person.practitioner.id,
        "identifier": [*identifiers(person.practitioner.id), keycloak],
        "active": True,
        "name": [{"use": "official", "family": person.last, "given": [person.first]}],
        "telecom": [{"system": "email", "value": person.email}],
    }


def _group(person: DemoUser, keycloak_id: str) -> Resource:
    group_id = f"demo-group-{person.username}"
    return {
        "resourceType": "Group",
        "id": group_id,
        "identifier": identifiers(group_id, keycloak_id),
        "active": True,
        "type": "practitioner",
        "actual": True,
        "code": concept(_PRACTITIONER_CODE),
        "name": person.practitioner.name,
        "member": [{"entity": person.practitioner.reference}],
    }


def _role(person: DemoUser, keycloak_id: str, organization: Named | None) -> Resource:
    role_id = f"demo-role-{person.username}"
    supervises = person.duty is Duty.SUPERVISOR
    role: Resource = {
        "resourceType": "PractitionerRole",
        "id": role_id,
        "identifier": identifiers(role_id, keycloak_id),
        "active": True,
        "practitioner": person.practitioner.reference,
        "code": [concept(_SUPERVISOR_CODE if supervises else _PRACTITIONER_CODE)],
    }
    if organization:
        role["organization"] = organization.reference
    return role
