"""Messages that the destination emits."""

import json
import time
from dataclasses import asdict, dataclass

from airbyte_cdk.models import (
    AirbyteAnalyticsTraceMessage,
    AirbyteMessage,
    AirbyteMessageSerializer,
    AirbyteTraceMessage,
    TraceType,
    Type,
)

from .loading import Loaded

LOADED = "destination-warehouse:loaded"


@dataclass
class PassedOn(AirbyteMessage):
    """A state of the source, with the line as it goes out: nothing in it is changed."""

    line: str = ""


def loaded(stream: str, counters: Loaded) -> AirbyteMessage:
    """Return the message that says what a commit did to a stream."""
    analytics = AirbyteAnalyticsTraceMessage(
        type=LOADED, value=json.dumps({"stream": stream, **asdict(counters)})
    )
    trace = AirbyteTraceMessage(
        type=TraceType.ANALYTICS, emitted_at=time.time_ns() // 1_000_000, analytics=analytics
    )
    return AirbyteMessage(type=Type.TRACE, trace=trace)


def passed_on(line: bytes) -> PassedOn:
    """Return a state as a message."""
    message = AirbyteMessageSerializer.load(json.loads(line))
    return PassedOn(**vars(message), line=line.decode())
