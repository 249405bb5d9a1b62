"""Households: which patients live together, and the Group that OpenSRP keeps of them."""

import hashlib
from collections.abc import Iterator, Sequence

from fhirstack.demo.application import HOUSEHOLD_CODE, HOUSEHOLD_QUESTIONNAIRE_ID
from fhirstack.demo.fhir import (
    SNOMED,
    Bundle,
    Named,
    Resource,
    coding,
    concept,
    identifiers,
    stable_id,
    transaction,
)
from fhirstack.demo.places import Team
from fhirstack.demo.tagging import (
    address,
    human_readable_id,
    opensrp_resources,
    tagged,
)

SMALLEST, LARGEST = 3, 6

_FAMILIES = ("Achieng", "Banda", "Chirwa", "Juma", "Kariuki", "Mutasa", "Nyambura", "Phiri")
_WOMEN = ("Asha", "Esther", "Grace", "Halima", "Joyce", "Mariam", "Neema", "Zawadi")
_CHILDREN = ("Abdi", "Elia", "Faraji", "Imani", "Jabari", "Nia", "Salim", "Tatu")


def household_sizes(patients: int, seed: int) -> Iterator[int]:
    """Yield sizes of 3 to 6 that add up to ``patients``; fewer than 3 patients are one household.

    All but the last two sizes depend on the seed alone, so that loading more patients later
    leaves the households that are there as they are.
    """
    left, index = patients, 0
    while left > 0:
        size = SMALLEST + _number(f"{seed}/{index}") % (LARGEST - SMALLEST + 1)
        if left <= LARGEST:
            size = left
        elif left - size < SMALLEST:
            size = left - SMALLEST
        yield size
        left -= size
        index += 1


def assignment(index: int, teams: Sequence[Team]) -> tuple[Team, Named]:
    """Return the team and the village of the household with this number: each in turn."""
    team = teams[index % len(teams)]
    return team, team.villages[index // len(teams) % len(team.villages)]


def household(
    members: Sequence[Bundle], *, index: int, seed: int, teams: Sequence[Team]
) -> list[Resource]:
    """Return the records of one household made of these patients' Synthea bundles."""
    team, village = assignment(index, teams)
    records = [
        resource for member in members for resource in opensrp_resources(member, team, village)
    ]
    patients = [record for record in records if record["resourceType"] == "Patient"]
    others = [record for record in records if record["resourceType"] != "Patient"]
    group = family(stable_id("household", seed, index), patients, team, village)
    return [*patients, group, *others]


def family(household_id: str, patients: Sequence[Resource], team: Team, village: Named) -> Resource:
    """Return the household's Group: named after its eldest member, managed by the team.

    Form: the app's household register and its examples (opensrp/fhircore), which know a
    household by its code and show the first characteristic as the village.
    """
    head = min(patients, key=lambda patient: str(patient["birthDate"]))
    group: Resource = {
        "resourceType": "Group",
        "id": household_id,
        "identifier": identifiers(household_id, human_readable_id(household_id)),
        "active": True,
        "type": "person",
        "actual": True,
        "code": concept(HOUSEHOLD_CODE, coding(SNOMED, HOUSEHOLD_CODE["code"], "Family")),
        "name": head["name"][0]["family"],
        "quantity": len(patients),
        "managingEntity": team.organization.reference,
        "characteristic": [
            {
                "code": {"text": village.name},
                "valueReference": village.reference,
                "exclude": False,
            }
        ],
        "member": [
            {"entity": {"reference": f"Patient/{patient['id']}"}, "inactive": False}
            for patient in patients
        ],
    }
    return tagged(group, team, village)


def household_bundle(team: Team, area: Named, seed: int | str, *, on: str = "2026-01-15") -> Bundle:
    """Return the transaction that a health worker's app posts to register a new household.

    Two patients, their Group, the visit and the filled-in form, all at ids made from ``seed``;
    ``on`` is the day of the visit as YYYY-MM-DD.
    """
    key = (team.care_team.id, seed)
    household_id = stable_id("registration", *key, "Group")
    family_name = _pick(_FAMILIES, f"{key}/family")
    mother = _person(
        team,
        area,
        key,
        gender="female",
        born="1994-05-17",
        name=_pick(_WOMEN, f"{key}/female"),
        family_name=family_name,
    )
    child = _person(
        team,
        area,
        key,
        gender="male",
        born="2023-09-02",
        name=_pick(_CHILDREN, f"{key}/male"),
        family_name=family_name,
    )
    group = family(household_id, (mother, child), team, area)
    encounter: Resource = {
        "resourceType": "Encounter",
        "id": stable_id("registration", *key, "Encounter"),
        "status": "finished",
        "class": coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "HH", "home health"),
        "subject": {"reference": f"Group/{household_id}"},
        "participant": [{"individual": team.practitioner.reference}],
        "period": {"start": f"{on}T08:00:00+00:00", "end": f"{on}T08:30:00+00:00"},
        "location": [{"location": area.reference}],
        "serviceProvider": team.organization.reference,
    }
    answers: tuple[tuple[str, Resource], ...] = (
        ("family-name", {"valueString": family_name}),
        ("head-name", {"valueString": mother["name"][0]["given"][0]}),
        ("child-name", {"valueString": child["name"][0]["given"][0]}),
        ("visit-date", {"valueDate": on}),
    )
    response: Resource = {
        "resourceType": "QuestionnaireResponse",
        "id": stable_id("registration", *key, "QuestionnaireResponse"),
        # Relative, as the app writes it; a validator would want an absolute URL.
        "questionnaire": f"Questionnaire/{HOUSEHOLD_QUESTIONNAIRE_ID}",
        "status": "completed",
        "subject": {"reference": f"Group/{household_id}"},
        "encounter": {"reference": f"Encounter/{encounter['id']}"},
        "authored": f"{on}T08:30:00+00:00",
        "author": team.practitioner.reference,
        "item": [{"linkId": link, "answer": [answer]} for link, answer in answers],
    }
    visit = [tagged(resource, team, area) for resource in (encounter, response)]
    return transaction([mother, child, group, *visit], name=f"household-{household_id}")


def _person(
    team: Team,
    area: Named,
    key: tuple[str, int | str],
    *,
    gender: str,
    born: str,
    name: str,
    family_name: str,
) -> Resource:
    patient_id = stable_id("registration", *key, "Patient", gender)
    patient: Resource = {
        "resourceType": "Patient",
        "id": patient_id,
        "identifier": identifiers(patient_id, human_readable_id(patient_id)),
        "active": True,
        "name": [{"use": "official", "family": family_name, "given": [name]}],
        "gender": gender,
        "birthDate": born,
        "address": address(area),
        "generalPractitioner": [team.practitioner.reference],
        "managingOrganization": team.organization.reference,
    }
    return tagged(patient, team, area)


def _number(text: str) -> int:
    return hashlib.sha256(text.encode()).digest()[0]


def _pick(names: Sequence[str], key: str) -> str:
    return names[_number(key) % len(names)]
