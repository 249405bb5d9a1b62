"""The streams' fields as JSON schemas."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .names import RESOURCE_IDS, stream_of

_TEXT = {"type": "string"}
_MOMENT = {
    "type": ["null", "string"],
    "format": "date-time",
    "airbyte_type": "timestamp_with_timezone",
}


@dataclass(frozen=True)
class StreamFields:
    """A stream's name, schema, and cursor field."""

    name: str
    schema: dict[str, Any]
    cursor: str


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": True,
        "properties": properties,
    }


_RESOURCE = _object(
    {
        "id": _TEXT | {"description": "the resource's id"},
        "resource_type": _TEXT | {"description": "the FHIR type"},
        "last_updated": _MOMENT | {"description": "the resource's meta.lastUpdated"},
        "resource": {
            "type": ["null", "object"],
            "additionalProperties": True,
            "description": "the whole resource; null if it is deleted",
        },
        "_ab_cdc_deleted_at": _MOMENT | {"description": "when it was deleted; null if it was not"},
    }
)
_IDS = _object(
    {
        "id": _TEXT | {"description": "the sweep and the number of the list in it"},
        "resource_type": _TEXT | {"description": "the FHIR type that was swept"},
        "sweep": _TEXT | {"description": "the id that all lists of a sweep share"},
        "started_at": _MOMENT | {"description": "when the sweep began"},
        "ids": {"type": "array", "items": _TEXT, "description": "ids of resources that are there"},
        "last": {"type": "boolean", "description": "whether no further list of the sweep follows"},
    }
)


def streams(types: list[str]) -> Iterator[StreamFields]:
    """One stream a type, and `resource_ids`."""
    for name in types:
        yield StreamFields(stream_of(name), _RESOURCE, "last_updated")
    yield StreamFields(RESOURCE_IDS, _IDS, "started_at")
