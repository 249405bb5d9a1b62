"""The Airbyte source: spec, check, discover and read."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from airbyte_cdk.models import (
    AirbyteCatalog,
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteStateMessage,
    AirbyteStream,
    AirbyteStreamStatus,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    FailureType,
    Status,
    StreamDescriptor,
    SyncMode,
)
from airbyte_cdk.sources import Source
from airbyte_cdk.utils.stream_status_utils import as_airbyte_message as status_message
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from . import capability, schemas, workers
from .client import FhirClient
from .config import Config, parse
from .errors import ConfigurationError, FhirError
from .names import RESOURCE_IDS, type_of
from .run import Run
from .workers import Batch

_MODES = [SyncMode.full_refresh, SyncMode.incremental]


class SourceFhir(Source):
    """Reads the resources of a FHIR R4 server, each type as a stream."""

    name = "source-fhir"

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """Whether the server answers, is FHIR R4, and lets the types be read."""
        try:
            problem = self._problem(logger, parse(config))
        except FhirError as error:
            problem = str(error)
        if problem:
            return AirbyteConnectionStatus(status=Status.FAILED, message=problem)
        return AirbyteConnectionStatus(status=Status.SUCCEEDED)

    @staticmethod
    def _problem(logger: logging.Logger, config: Config) -> str | None:
        client = FhirClient(config)
        try:
            names = capability.types(client, config)
            refused = capability.refusals(client, config, names)
        finally:
            client.close()
        told = "; ".join(f"{name}: {error}" for name, error in refused.items())
        if refused and (config.resource_types or len(refused) == len(names)):
            return f"{len(refused)} of {len(names)} types cannot be read: {told}"
        if refused:
            logger.warning(f"These types cannot be read, so leave their streams out: {told}")
        return None

    def discover(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteCatalog:
        """Return a stream for each type, and one for the ids that sweeps find."""
        settings = parse(config)
        client = FhirClient(settings)
        try:
            names = capability.types(client, settings)
        except FhirError as error:
            raise _traced(error) from error
        finally:
            client.close()
        return AirbyteCatalog(streams=[_stream(x) for x in schemas.streams(names)])

    def read(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None = None,
    ) -> Iterable[AirbyteMessage]:
        """All messages of a run. Raise AirbyteTracedException at its end if a stream failed."""
        try:
            settings = parse(config)
            client = FhirClient(settings)
        except FhirError as error:
            raise _traced(error) from error
        configured = {x.stream.name: x for x in catalog.streams}
        run = Run(client, settings, logger, _states(state or []), RESOURCE_IDS in configured)
        failed: list[str] = []
        types = [x for name, x in configured.items() if name != RESOURCE_IDS]
        try:
            if settings.totals:
                known = [(kind, x) for x in types if (kind := type_of(x.stream.name))]
                asked = [partial(run.totals, kind, _incremental(x)) for kind, x in known]
                yield from workers.run(asked, settings.parallel_streams)
            jobs = [partial(_guarded, x, run, settings, failed) for x in types]
            yield from workers.run(jobs, settings.parallel_streams)
            if RESOURCE_IDS in configured:
                ids = configured[RESOURCE_IDS]
                yield from workers.run([partial(_guarded, ids, run, settings, failed)], 1)
        finally:
            client.close()
        if failed:
            raise AirbyteTracedException(
                message=f"These streams could not be read to their end: {', '.join(failed)}",
                failure_type=FailureType.transient_error,
            )


def _stream(fields: schemas.StreamFields) -> AirbyteStream:
    return AirbyteStream(
        name=fields.name,
        json_schema=fields.schema,
        supported_sync_modes=_MODES,
        source_defined_cursor=True,
        default_cursor_field=[fields.cursor],
        source_defined_primary_key=[["id"]],
    )


def _incremental(configured: ConfiguredAirbyteStream) -> bool:
    return configured.sync_mode is SyncMode.incremental


def _states(messages: list[AirbyteStateMessage]) -> dict[str, dict[str, Any]]:
    return {
        message.stream.stream_descriptor.name: dict(vars(message.stream.stream_state))
        for message in messages
        if message.stream and message.stream.stream_state
    }


def _traced(error: FhirError, stream: str | None = None) -> AirbyteTracedException:
    return AirbyteTracedException(
        message=str(error),
        internal_message=f"{type(error).__name__}: {error}",
        failure_type=FailureType(error.fault),
        exception=error,
        stream_descriptor=StreamDescriptor(name=stream) if stream else None,
    )


def _guarded(
    configured: ConfiguredAirbyteStream, run: Run, config: Config, failed: list[str]
) -> Iterator[Batch]:
    """Yield a stream's messages between its statuses. What goes wrong stays with this stream."""
    name = configured.stream.name
    descriptor = StreamDescriptor(name=name)
    yield [status_message(descriptor, AirbyteStreamStatus.STARTED)]
    try:
        yield [status_message(descriptor, AirbyteStreamStatus.RUNNING)]
        if name == RESOURCE_IDS:
            yield from run.sweeps()
        else:
            resource_type = type_of(name)
            known = config.resource_types
            if resource_type is None or (known and resource_type not in known):
                raise ConfigurationError(f"{name} is no stream of this source's configuration")
            yield from run.type(resource_type, _incremental(configured))
    except Exception as error:
        traced = (
            _traced(error, name)
            if isinstance(error, FhirError)
            else AirbyteTracedException.from_exception(error, stream_descriptor=descriptor)
        )
        failed.append(name)
        yield [
            traced.as_sanitized_airbyte_message(),
            status_message(descriptor, AirbyteStreamStatus.INCOMPLETE),
        ]
        return
    yield [status_message(descriptor, AirbyteStreamStatus.COMPLETE)]
