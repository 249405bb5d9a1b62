"""The JSON Schema of the site file, for editors. It is generated from the types.

``defaults`` and the environments lie over each other, so that no key is required in either alone:
``load_site`` says what is missing from both. Entries of lists are replaced as a whole and stay
complete.
"""

from typing import Any

from fhirstack.model.load import TOP_KEYS
from fhirstack.model.site import Environment, Site

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def site_schema() -> dict[str, Any]:
    """Return the schema of a site file as a JSON object."""
    schema = Environment.model_json_schema()
    definitions: dict[str, Any] = schema.pop("$defs")
    del schema["properties"]["name"]
    definitions["Environment"] = schema
    for name in definitions.keys() - _entries_of_lists(definitions):
        definitions[name].pop("required", None)
    programme = Site.model_json_schema()["properties"]["programme"]
    partial = {"$ref": "#/$defs/Environment"}
    return {
        "$schema": DRAFT,
        "title": "fhirstack site",
        "description": "A programme's environments, as OpenSRP's page asks for them.",
        "type": "object",
        "additionalProperties": False,
        "required": ["programme", "environments"],
        "properties": {
            "programme": programme,
            "defaults": {**partial, "title": "Defaults", "description": TOP_KEYS["defaults"]},
            "environments": {
                "title": "Environments",
                "description": TOP_KEYS["environments"],
                "type": "object",
                "minProperties": 1,
                "additionalProperties": partial,
            },
        },
        "$defs": dict(sorted(definitions.items())),
    }


def _entries_of_lists(definitions: dict[str, Any]) -> set[str]:
    """Return the names of the definitions that stand as entries of a list."""
    found = set()
    for definition in definitions.values():
        for value in definition.get("properties", {}).values():
            reference = value.get("items", {}).get("$ref", "")
            if reference:
                found.add(reference.rsplit("/", 1)[-1])
    return found
