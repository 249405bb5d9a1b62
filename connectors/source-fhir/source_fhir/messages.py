"""Messages of the Airbyte protocol; records are ready lines around undecoded resources."""

import json
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson
from airbyte_cdk.models import (
    AirbyteAnalyticsTraceMessage,
    AirbyteEstimateTraceMessage,
    AirbyteMessage,
    AirbyteMessageSerializer,
    AirbyteRecordMessage,
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateType,
    AirbyteStreamState,
    AirbyteTraceMessage,
    EstimateType,
    StreamDescriptor,
    TraceType,
    Type,
)

_text = msgspec.json.encode
_BAD_DATE = (
    b',"meta":{"changes":[{"field":"last_updated","change":"NULLED",'
    b'"reason":"SOURCE_SERIALIZATION_ERROR"}]}'
)


class EncodedRecord(AirbyteMessage):
    """A RECORD message as its line's three parts: what is before the resource, it, and the rest.

    Whoever asks for `record` gets it decoded; nobody does on the way to standard output.
    """

    type = Type.RECORD

    def __init__(self, stream: str, before: bytes, resource: bytes, after: bytes) -> None:
        self.stream = stream
        self.parts = (before, resource, after)

    @property
    def record(self) -> AirbyteRecordMessage | None:  # type: ignore[override]
        """The record as objects. Numbers become Python's, so this is not for carrying data."""
        return AirbyteMessageSerializer.load(orjson.loads(b"".join(self.parts))).record


class Encoder:
    """Makes the records of one stream. The time of emission is that of this object."""

    def __init__(self, stream: str, resource_type: str) -> None:
        self._stream = stream
        emitted = time.time_ns() // 1_000_000
        self._start = (
            b'{"type":"RECORD","record":{"stream":"%s","emitted_at":%d,"data":'
            b'{"resource_type":"%s","id":' % (stream.encode(), emitted, resource_type.encode())
        )

    def resource(self, id: str, last_updated: str | None, dated: bool, raw: bytes) -> EncodedRecord:
        """Make a resource's record; `dated` tells whether `last_updated` is a moment."""
        shown, note = (_text(last_updated), b"") if dated else (b"null", _BAD_DATE)
        return EncodedRecord(
            self._stream,
            b'%s%s,"last_updated":%s,"resource":' % (self._start, _text(id), shown),
            raw,
            b',"_ab_cdc_deleted_at":null}%s}}\n' % (note if last_updated is not None else b""),
        )

    def deletion(self, id: str, deleted_at: str) -> EncodedRecord:
        """Make the record of a resource that is deleted."""
        moment = _text(deleted_at)
        return EncodedRecord(
            self._stream,
            b'%s%s,"last_updated":%s,"resource":' % (self._start, _text(id), moment),
            b"null",
            b',"_ab_cdc_deleted_at":%s}}}\n' % moment,
        )

    def data(self, fields: Mapping[str, Any]) -> EncodedRecord:
        """Any other record of this stream."""
        start = self._start[: self._start.rindex(b"{")]
        return EncodedRecord(self._stream, start, _text(fields), b"}}\n")


def state(stream: str, blob: Mapping[str, Any]) -> AirbyteMessage:
    """Make a STATE message of one stream."""
    return AirbyteMessage(
        type=Type.STATE,
        state=AirbyteStateMessage(
            type=AirbyteStateType.STREAM,
            stream=AirbyteStreamState(
                stream_descriptor=StreamDescriptor(name=stream),
                stream_state=AirbyteStateBlob(blob),
            ),
        ),
    )


def rejected(stream: str, id: str | None, reason: str) -> AirbyteMessage:
    """Tell of a resource that cannot be carried, for whoever runs the connector to record."""
    return _told("rejected", {"stream": stream, "id": id, "reason": reason})


def total(stream: str, resources: int) -> AirbyteMessage:
    """Tell how many resources of a stream the server holds."""
    return _told("total", {"stream": stream, "total": resources})


def estimate(stream: str, resources: int) -> AirbyteMessage:
    """Tell how many resources of a stream this run is about to read."""
    return AirbyteMessage(
        type=Type.TRACE,
        trace=AirbyteTraceMessage(
            type=TraceType.ESTIMATE,
            emitted_at=_now(),
            estimate=AirbyteEstimateTraceMessage(
                name=stream, type=EstimateType.STREAM, row_estimate=resources
            ),
        ),
    )


def _told(what: str, value: Mapping[str, Any]) -> AirbyteMessage:
    text = json.dumps(value, ensure_ascii=False)
    return AirbyteMessage(
        type=Type.TRACE,
        trace=AirbyteTraceMessage(
            type=TraceType.ANALYTICS,
            emitted_at=_now(),
            analytics=AirbyteAnalyticsTraceMessage(type=f"source-fhir:{what}", value=text),
        ),
    )


def _now() -> float:
    return float(time.time_ns() // 1_000_000)
