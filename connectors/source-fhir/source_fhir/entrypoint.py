"""The CDK's command line, with a short way for records to standard output."""

import io
import logging
import sys
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER
from airbyte_cdk.models import AirbyteMessage, ConnectorSpecification, Type
from airbyte_cdk.sources import Source
from airbyte_cdk.sources.connector_state_manager import HashableStreamDescriptor

from . import memory
from .messages import EncodedRecord

_ENOUGH = 256 * 1024


class Output(io.TextIOBase):
    """Whole lines to a binary stream, from several threads: records in bulk, others at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._parts: list[bytes] = []
        self._size = 0
        self._begun = threading.local()

    def record(self, parts: tuple[bytes, bytes, bytes]) -> None:
        """Write a record's line."""
        with self._lock:
            self._parts += parts
            self._size += len(parts[1])
            if self._size >= _ENOUGH:
                self.flush()

    def write(self, text: str) -> int:
        """Text, which goes out after the records before it and when its line is complete."""
        line = getattr(self._begun, "line", "") + text
        self._begun.line = "" if line.endswith("\n") else line
        if line.endswith("\n"):
            with self._lock:
                self._parts.append(line.encode("utf-8", "backslashreplace"))
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Send what waits."""
        with self._lock:
            parts, self._parts, self._size = self._parts, [], 0
            self._stream.write(b"".join(parts))
            self._stream.flush()


class Entrypoint(AirbyteEntrypoint):
    """Writes records by itself and gives all other messages to the CDK."""

    def __init__(self, source: Source, output: Output) -> None:
        super().__init__(source)
        self._output = output

    def read(
        self, source_spec: ConnectorSpecification, config: Any, catalog: Any, state: list[Any]
    ) -> Iterable[AirbyteMessage]:
        """As the CDK's, without what it does for each record; STATE messages have their counts."""
        self.set_up_secret_filter(config, source_spec.connectionSpecification)
        self.validate_connection(source_spec, config)
        counts: defaultdict[HashableStreamDescriptor, float] = defaultdict(float)
        streams = {
            x.stream.name: HashableStreamDescriptor(name=x.stream.name) for x in catalog.streams
        }
        for message in self.source.read(self.logger, config, catalog, state):
            if isinstance(message, EncodedRecord):
                self._output.record(message.parts)
                counts[streams[message.stream]] += 1.0
                continue
            if message.type is Type.STATE:
                self._memory_monitor.check_memory_usage()
            yield self.handle_record_counts(message, counts)


def execute(source: Source, arguments: Sequence[str], output: Output) -> None:
    """Run one command of the Airbyte protocol, with its messages and log lines to `output`."""
    # Log lines come from several threads: they go the same way, so that no line is torn.
    handlers = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is PRINT_BUFFER
    ]
    for handler in handlers:
        handler.setStream(output)
    try:
        entrypoint = Entrypoint(source, output)
        for message in entrypoint.run(entrypoint.parse_args(list(arguments))):
            output.write(f"{message}\n")
    finally:
        output.flush()
        for handler in handlers:
            handler.setStream(PRINT_BUFFER)


def launch(source: Source, arguments: Sequence[str]) -> None:
    """Run one command of the Airbyte protocol on standard output."""
    memory.give_back()
    output = Output(sys.stdout.buffer)
    # What the CDK prints when an error ends the process takes the same way.
    sys.stdout = output
    execute(source, arguments, output)
