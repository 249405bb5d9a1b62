"""The configured catalogue: which stream goes to which table, and what a full refresh means."""

import re
import uuid
from dataclasses import dataclass, replace

from airbyte_cdk.models import (
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    StreamDescriptor,
)

from .naming import table_name
from .settings import config_error

SWEEP_STREAM = "resource_ids"
REJECTED = "rejected_records"
ID_LISTS = "_airbyte_id_lists"
REFRESHES = "_airbyte_refreshes"


@dataclass(frozen=True, slots=True)
class Landing:
    """One stream's table.

    ``number`` marks the stream's rows in the staging table. ``refresh`` names the full refresh
    that is under way, and is None for an incremental sync; ``resumable`` says whether another
    process may go on with it.
    """

    number: int
    stream: str
    namespace: str | None
    table: str
    sync_id: int | None
    refresh: str | None
    resumable: bool

    @property
    def descriptor(self) -> StreamDescriptor:
        """The stream as messages name it."""
        return StreamDescriptor(name=self.stream, namespace=self.namespace)


class Streams:
    """The landings of a configured catalogue. Raises AirbyteTracedException (config_error)."""

    def __init__(self, catalog: ConfiguredAirbyteCatalog) -> None:
        self.by_name: dict[str, Landing] = {}
        self.by_table: dict[str, Landing] = {}
        self.sweeps = False
        for configured in catalog.streams:
            if configured.stream.name == SWEEP_STREAM:
                self.sweeps = True
                continue
            landing = _landing(len(self.by_name), configured)
            other = self.by_table.get(landing.table)
            if other or landing.table in (REJECTED, SWEEP_STREAM):
                taken = f"the stream {other.stream!r}" if other else "this destination itself"
                raise config_error(
                    f"the stream {landing.stream!r} would land in the table {landing.table!r}, "
                    f"which {taken} uses. Rename the stream, or leave one of them out."
                )
            self.by_name[landing.stream] = landing
            self.by_table[landing.table] = landing

    def refreshed(self, tables: set[str]) -> None:
        """Note full refreshes that are complete already: only what comes is landed."""
        for table in tables:
            landing = replace(self.by_table[table], refresh=None)
            self.by_table[table] = self.by_name[landing.stream] = landing

    def of_resource_type(self, resource_type: str) -> Landing | None:
        """Return where resources of a FHIR type land."""
        try:
            return self.by_table.get(table_name(resource_type))
        except ValueError:
            return None


def _landing(number: int, configured: ConfiguredAirbyteStream) -> Landing:
    stream = configured.stream
    properties = stream.json_schema.get("properties")
    if properties and "resource" not in properties:
        raise config_error(
            f"the stream {stream.name!r} has no property `resource`: this destination lands FHIR "
            "resources only. Leave the stream out of the catalogue."
        )
    try:
        table = table_name(stream.name)
    except ValueError as error:
        raise config_error(f"{error}. Leave the stream out of the catalogue.") from error
    if re.match("_airbyte_", table):
        raise config_error(f"the stream name {stream.name!r} is reserved. Rename the stream.")
    generation, oldest = configured.generation_id, configured.minimum_generation_id
    refresh = None
    if generation is not None and oldest:
        refresh = f"generation {generation}"
    elif generation is None and configured.destination_sync_mode is DestinationSyncMode.overwrite:
        refresh = f"run {uuid.uuid4()}"
    return Landing(
        number=number,
        stream=stream.name,
        namespace=stream.namespace,
        table=table,
        sync_id=configured.sync_id,
        refresh=refresh,
        resumable=generation is not None,
    )
