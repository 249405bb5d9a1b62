"""Turns what Synthea made of a patient into what the Android app would have written.

Kept are the types that an OpenSRP programme has roles for and that the app syncs (the role
catalogue of onaio/fhir-tooling, ``importer/csv/setup/roles.csv``, with medication requests
added). Dropped are Synthea's Claim, ExplanationOfBenefit, Coverage, Procedure, DiagnosticReport,
AllergyIntolerance, Device, ImagingStudy, DocumentReference and the like, which no role opens,
and its CareTeams, which the gateway would take for the programme's own.
"""

import hashlib
import json
from typing import Any

from fhirstack.demo.fhir import Bundle, Named, Resource, address_of, coding, identifiers
from fhirstack.demo.places import Team

KEPT_TYPES = (
    "Patient",
    "Encounter",
    "Condition",
    "Observation",
    "Immunization",
    "CarePlan",
    "MedicationRequest",
    "Medication",
)

APP_VERSION = "2.1.0-demo"
TAG_BASE = "https://smartregister.org/"

# What a patient of the programme has; the rest (narrative, American identifiers, the address in
# Massachusetts, Synthea's measures) is Synthea's own.
_PATIENT_ELEMENTS = (
    "resourceType",
    "id",
    "name",
    "telecom",
    "gender",
    "birthDate",
    "deceasedDateTime",
    "maritalStatus",
    "multipleBirthBoolean",
    "multipleBirthInteger",
)
_URN = "urn:uuid:"
_DROPPED = object()


def tags(team: Team, village: Named) -> list[Resource]:
    """Return the six tags of a record that ``team``'s health worker made in ``village``.

    Systems, displays and meanings: docs.opensrp.io, engineering/app/datastore/tagging.
    """
    return [
        coding(f"{TAG_BASE}{suffix}", code, display)
        for suffix, code, display in (
            ("app-version", APP_VERSION, "Application Version"),
            ("care-team-tag-id", team.care_team.id, "Practitioner CareTeam"),
            ("practitioner-tag-id", team.practitioner.id, "Practitioner"),
            ("location-tag-id", team.location.id, "Practitioner Location"),
            ("organisation-tag-id", team.organization.id, "Practitioner Organization"),
            ("related-entity-location-tag-id", village.id, "Related Entity Location"),
        )
    ]


def tagged(resource: Resource, team: Team, village: Named) -> Resource:
    """Return the resource with the tags as its only ``meta``."""
    return {**resource, "meta": {"tag": tags(team, village)}}


def opensrp_resources(bundle: Bundle, team: Team, village: Named) -> list[Resource]:
    """Return the kept resources of one patient's Synthea bundle, tagged, the patient first.

    Ids are Synthea's own, which depend on its seed only. References inside the bundle become
    ``Type/id``; those to a practitioner, organization or location become the programme's; those
    to what was dropped go, and so does what they leave empty.
    """
    entries: list[Resource] = [entry["resource"] for entry in bundle["entry"]]
    kept = [resource for resource in entries if resource["resourceType"] in KEPT_TYPES]
    rewriter = _Rewriter(kept, team, village)
    resources = []
    for resource in kept:
        clean = {k: v for k, v in resource.items() if k not in {"meta", "text", "extension"}}
        rewritten: Resource = rewriter.value(clean)
        if rewritten["resourceType"] == "Patient":
            rewritten = _patient(rewritten, team, village)
        resources.append(tagged(rewritten, team, village))
    return sorted(resources, key=lambda resource: resource["resourceType"] != "Patient")


def human_readable_id(resource_id: str) -> str:
    """Return the nine digits that a health worker would read out, made from the id."""
    digest = hashlib.sha256(resource_id.encode()).digest()
    return f"{int.from_bytes(digest[:8], 'big') % 10**9:09d}"


def address(village: Named) -> list[Resource]:
    """Return where people of a village live."""
    return [{"use": "home", "type": "physical", "city": village.name, "country": "Kalanda"}]


def _patient(resource: Resource, team: Team, village: Named) -> Resource:
    patient = {name: resource[name] for name in _PATIENT_ELEMENTS if name in resource}
    patient_id = patient["id"]
    return {
        **patient,
        "identifier": identifiers(patient_id, human_readable_id(patient_id)),
        "active": True,
        "address": address(village),
        "generalPractitioner": [team.practitioner.reference],
        "managingOrganization": team.organization.reference,
    }


class _Rewriter:
    """Rewrites the references of one bundle."""

    def __init__(self, kept: list[Resource], team: Team, village: Named) -> None:
        self._kept = {resource["id"]: address_of(resource) for resource in kept}
        self._location = village.reference
        self._programme = {
            "Practitioner": team.practitioner.reference,
            "PractitionerRole": team.practitioner.reference,
            "Organization": team.organization.reference,
            "Location": village.reference,
        }

    def value(self, value: Any) -> Any:
        """Return ``value`` with its references rewritten, or ``_DROPPED`` if nothing is left."""
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, list):
            items = [item for item in map(self.value, value) if item is not _DROPPED]
            return items if items or not value else _DROPPED
        return value

    def _object(self, value: Resource) -> Any:
        if isinstance(value.get("reference"), str):
            return self._reference(value)
        result = {}
        for name, child in value.items():
            if name == "location" and _is_display_only(child):
                result[name] = self._location
                continue
            rewritten = self.value(child)
            if rewritten is not _DROPPED:
                result[name] = rewritten
        return result if result or not value else _DROPPED

    def _reference(self, value: Resource) -> Any:
        target = str(value["reference"])
        if target.startswith("#"):
            return value
        if target.startswith(_URN):
            address = self._kept.get(target.removeprefix(_URN))
        else:
            kind, _, rest = target.partition("?" if "?" in target else "/")
            if kind in self._programme:
                return self._programme[kind]
            address = self._kept.get(rest)
        return {**value, "reference": address} if address else _DROPPED


def _is_display_only(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"display"}


def read_bundle(text: str | bytes) -> Bundle:
    """Read a Synthea file. Raises ValueError if it is not a Bundle."""
    bundle = json.loads(text)
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise ValueError("not a FHIR Bundle")
    return bundle
