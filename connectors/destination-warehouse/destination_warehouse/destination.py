"""The destination: what the Airbyte platform, or any other runner, calls."""

import logging
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import IO, Any

import orjson
import psycopg
from airbyte_cdk.destinations import Destination
from airbyte_cdk.exception_handler import init_uncaught_exception_handler
from airbyte_cdk.logger import init_logger
from airbyte_cdk.models import (
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteMessageSerializer,
    ConfiguredAirbyteCatalog,
    FailureType,
    Status,
)
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from .batch import Batch
from .batches import Batcher
from .failures import explained
from .lines import Item, read_lines
from .loading import Loader, Outcome, rejected_streams
from .pipeline import Pipeline
from .reports import PassedOn, loaded, passed_on
from .schema import prepare
from .settings import Settings
from .streams import SWEEP_STREAM, Streams
from .warehouse import Warehouse, try_out

logger = logging.getLogger("airbyte")
TERMINATED = 128 + signal.SIGTERM


class _Input:
    """Standard input: lines for ``write``, which never makes messages of them."""

    def __init__(self, stream: IO[Any]) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[AirbyteMessage]:
        for line in self.stream:
            yield AirbyteMessageSerializer.load(orjson.loads(line))


class DestinationWarehouse(Destination):
    """Lands FHIR resources in PostgreSQL."""

    def __init__(self) -> None:
        super().__init__()
        self._terminated = False

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """Connect, make what a run needs, and undo it."""
        try:
            settings = Settings.read(config)
            try_out(settings, lambda connection: prepare(connection, settings, ()))
        except psycopg.Error as error:
            problem = explained(error, settings).message
        except AirbyteTracedException as error:
            problem = error.message
        else:
            return AirbyteConnectionStatus(status=Status.SUCCEEDED)
        return AirbyteConnectionStatus(status=Status.FAILED, message=problem)

    def write(
        self,
        config: Mapping[str, Any],
        configured_catalog: ConfiguredAirbyteCatalog,
        input_messages: Iterable[AirbyteMessage],
    ) -> Iterable[AirbyteMessage]:
        """Land what comes, and pass each state on once all before it is committed."""
        settings = Settings.read(config)
        streams = Streams(configured_catalog)
        refused: dict[str, str] = {}
        poisoned: set[str] = set()
        with Warehouse(settings, logger, lambda: self._terminated) as warehouse:
            ready = partial(prepare, settings=settings, landings=list(streams.by_name.values()))
            streams.refreshed(warehouse.transaction(ready))
            known = warehouse.transaction(partial(rejected_streams, settings=settings))
            loader = Loader(settings, known)
            batcher = Batcher(streams, settings.batch_rows, settings.batch_bytes)
            for batch in Pipeline(self._items(settings, input_messages), batcher):
                if self._terminated:
                    break
                poisoned |= batch.poisoned
                work = partial(loader.load, batch=batch, poisoned=poisoned)
                outcome = warehouse.transaction(work)
                yield from _acknowledge(batch, outcome, refused)
                # A big record must not stay in memory while the next one is read.
                del batch, work, outcome
        if self._terminated:
            logger.warning("terminated: what is not acknowledged is not committed")
            raise SystemExit(TERMINATED)
        if refused:
            message = " ".join(refused.values())
            raise AirbyteTracedException(
                message=message, internal_message=message, failure_type=FailureType.config_error
            )

    def run(self, args: list[str]) -> None:
        """Run a command; each message is on standard output before the next one is made."""
        init_logger("airbyte")
        init_uncaught_exception_handler(logger)
        parsed = self.parse_args(args)
        signal.signal(signal.SIGTERM, self._terminate)
        for message in self.run_cmd(parsed):
            if isinstance(message, PassedOn):
                line = message.line
            else:
                line = orjson.dumps(AirbyteMessageSerializer.dump(message)).decode()
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    def _parse_input_stream(self, input_stream: IO[Any]) -> Iterable[AirbyteMessage]:
        return _Input(input_stream)

    def _items(self, settings: Settings, messages: Iterable[AirbyteMessage]) -> Iterator[Item]:
        """Yield the lines of standard input, or of messages that a caller made itself."""
        if isinstance(messages, _Input):
            lines = read_lines(messages.stream, settings.max_record_bytes, settings.batch_bytes)
        else:
            dump = AirbyteMessageSerializer.dump
            lines = (orjson.dumps(dump(message)) for message in messages)
        for item in lines:
            if self._terminated:
                return
            yield item

    def _terminate(self, *_: object) -> None:
        """Note SIGTERM: the batch under way is finished, and nothing else is begun."""
        self._terminated = True


def _acknowledge(
    batch: Batch, outcome: Outcome, refused: dict[str, str]
) -> Iterator[AirbyteMessage]:
    """Yield what a committed batch lets us say; ``refused`` gathers removals by stream.

    The state of a stream whose removal was refused is held back, so that it is done again.
    """
    for text in batch.ignored:
        logger.info(text)
    for rejection in outcome.new:
        logger.warning(f"{rejection.stream}/{rejection.id} is rejected: {rejection.reason}")
    if batch.removal and outcome.refused:
        logger.error(outcome.refused)
        stream = SWEEP_STREAM if batch.removal.before else batch.removal.landing.stream
        refused[stream] = f"{refused.get(stream, '')} {outcome.refused}".strip()
    for stream, counters in outcome.streams.items():
        yield loaded(stream, counters)
    for state in batch.states:
        if state.stream not in refused and not (state.stream is None and refused):
            yield passed_on(state.line)
