"""A hand-made bundle in the form of Synthea's, with every kind of reference that it writes."""

from collections.abc import Callable
from typing import Any

import pytest

from fhirstack.demo import Team, teams

Bundle = dict[str, Any]
MakePatient = Callable[..., Bundle]


def _uuid(number: int, kind: int) -> str:
    return f"00000000-0000-4000-8000-{kind:04d}{number:08d}"


@pytest.fixture
def make_patient() -> MakePatient:
    def make(number: int = 1, birth_date: str = "1990-01-01") -> Bundle:
        patient, encounter, condition, care_team, claim, device = (
            _uuid(number, kind) for kind in range(6)
        )
        subject = {"reference": f"urn:uuid:{patient}", "display": "Ada Example"}
        visit = {"reference": f"urn:uuid:{encounter}"}
        doctor = {
            "reference": "Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|9999997890",
            "display": "Dr. Someone Else",
        }
        hospital = {
            "reference": "Organization?identifier=https://github.com/synthetichealth/synthea|f891",
            "display": "SOME HOSPITAL",
        }
        place = {
            "reference": "Location?identifier=https://github.com/synthetichealth/synthea|bb1a",
            "display": "SOME HOSPITAL",
        }
        resources: list[Bundle] = [
            {
                "resourceType": "Patient",
                "id": patient,
                "meta": {"profile": ["http://example.org/StructureDefinition/other"]},
                "text": {"status": "generated", "div": "<div>made</div>"},
                "extension": [{"url": "http://example.org/birth-place", "valueString": "Boston"}],
                "identifier": [
                    {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "999-60-1555"}
                ],
                "name": [{"use": "official", "family": f"Example{number}", "given": ["Ada"]}],
                "gender": "female",
                "birthDate": birth_date,
                "address": [{"city": "Boston", "country": "US"}],
                "managingOrganization": hospital,
            },
            {"resourceType": "CareTeam", "id": care_team, "subject": subject, "encounter": visit},
            {
                "resourceType": "Encounter",
                "id": encounter,
                "status": "finished",
                "class": {"code": "AMB"},
                "subject": subject,
                "participant": [{"individual": doctor}],
                "location": [{"location": place}],
                "serviceProvider": hospital,
            },
            {
                "resourceType": "Condition",
                "id": condition,
                "subject": subject,
                "encounter": visit,
                "code": {"text": "Fever"},
            },
            {
                "resourceType": "Observation",
                "id": _uuid(number, 6),
                "status": "final",
                "subject": subject,
                "encounter": visit,
                "device": {"reference": f"urn:uuid:{device}"},
                "valueQuantity": {"value": 37.9, "unit": "Cel"},
            },
            {
                "resourceType": "CarePlan",
                "id": _uuid(number, 7),
                "status": "active",
                "intent": "order",
                "subject": subject,
                "careTeam": [{"reference": f"urn:uuid:{care_team}"}],
                "addresses": [{"reference": f"urn:uuid:{condition}"}],
                "activity": [
                    {"detail": {"status": "unknown", "location": {"display": "HOSPITAL"}}}
                ],
            },
            {
                "resourceType": "MedicationRequest",
                "id": _uuid(number, 8),
                "status": "active",
                "intent": "order",
                "subject": subject,
                "requester": doctor,
                "reasonReference": [
                    {"reference": f"urn:uuid:{condition}"},
                    {"reference": f"urn:uuid:{claim}"},
                ],
            },
            {"resourceType": "Claim", "id": claim, "patient": subject, "provider": hospital},
            {"resourceType": "Device", "id": device, "patient": subject},
        ]
        return {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [
                {
                    "fullUrl": f"urn:uuid:{resource['id']}",
                    "resource": resource,
                    "request": {"method": "POST", "url": resource["resourceType"]},
                }
                for resource in resources
            ],
        }

    return make


@pytest.fixture
def team() -> Team:
    return teams()[0]
