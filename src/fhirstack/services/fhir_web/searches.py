"""Searches of FHIR Web that FHIR R4 does not have: the FHIR server must be taught them.

Its lists of care teams and groups are searched by name, which R4 answers 400: onaio/fhir-web, pull
request 1251. The parameters are R5's (``CareTeam-name``, ``Group-name``).
"""

from typing import Any

_TYPES = ("CareTeam", "Group")


def search_parameters() -> tuple[dict[str, Any], ...]:
    """Return the SearchParameters that the FHIR server needs, each with its id."""
    return tuple(_by_name(name) for name in _TYPES)


def _by_name(resource_type: str) -> dict[str, Any]:
    slug = f"{resource_type.lower()}-name"
    return {
        "resourceType": "SearchParameter",
        "id": f"fhirstack-{slug}",
        "url": f"https://fhirstack.org/fhir/SearchParameter/{slug}",
        "name": f"{resource_type}Name",
        "status": "active",
        "description": f"The name of a {resource_type}, as FHIR R5 has it",
        "code": "name",
        "base": [resource_type],
        "type": "string",
        "expression": f"{resource_type}.name",
    }
