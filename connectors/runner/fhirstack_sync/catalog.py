"""The configured catalogue and the state, as the Airbyte protocol has them."""

from collections.abc import Iterable, Mapping
from typing import Any

from fhirstack_sync.config import SWEEP

_TIME = {"type": ["null", "string"], "format": "date-time"}
_RECORD = {
    "id": {"type": "string"},
    "resource_type": {"type": "string"},
    "last_updated": _TIME,
    "resource": {"type": ["null", "object"]},
    "_ab_cdc_deleted_at": _TIME,
}
_SWEEP = {
    "id": {"type": "string"},
    "resource_type": {"type": "string"},
    "sweep": {"type": "string"},
    "started_at": _TIME,
    "ids": {"type": "array", "items": {"type": "string"}},
    "last": {"type": "boolean"},
}


def configured_catalog(names: Iterable[str], generation: int, *, full: bool) -> dict[str, Any]:
    """Return the catalogue of one run. With ``full``, what is not seen again is deleted."""
    streams = [_stream(name, _RECORD, generation, full) for name in names]
    return {"streams": [*streams, _stream(SWEEP, _SWEEP, generation, False)]}


def _stream(
    name: str, properties: Mapping[str, Any], generation: int, full: bool
) -> dict[str, Any]:
    schema = {"type": "object", "additionalProperties": True, "properties": dict(properties)}
    return {
        "stream": {
            "name": name,
            "json_schema": schema,
            "supported_sync_modes": ["full_refresh", "incremental"],
            "source_defined_cursor": True,
            "source_defined_primary_key": [["id"]],
        },
        "sync_mode": "full_refresh" if full else "incremental",
        "destination_sync_mode": "append_dedup",
        "primary_key": [["id"]],
        "generation_id": generation,
        "minimum_generation_id": generation if full else 0,
        "sync_id": generation,
    }


def state_messages(states: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the state file's content: a message a stream."""
    return [
        {
            "type": "STREAM",
            "stream": {"stream_descriptor": {"name": name}, "stream_state": state},
        }
        for name, state in states.items()
    ]
