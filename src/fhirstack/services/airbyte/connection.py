"""The platform's one connection: FHIR gateway to warehouse, as data for its API or a person."""

from dataclasses import asdict, dataclass
from typing import Any

import yaml

from fhirstack.model.host import Role
from fhirstack.model.site import Environment
from fhirstack.services import pipelines, warehouse

IMAGES = {"source": "fhirstack/source-fhir", "destination": "fhirstack/destination-warehouse"}
SWEEP = "resource_ids"

_HEADER = """\
# The connection of Airbyte's platform, with the names of its public API.
# Rendered from the site; not proved: the platform has not run with it here.
# Where a value is {"secret": NAME}, put that secret in its place when applying; never here.
"""


@dataclass(frozen=True)
class Connector:
    """An image and its configuration, in which a secret is ``{"secret": NAME}``."""

    name: str
    image: str
    configuration: dict[str, Any]


@dataclass(frozen=True)
class Connection:
    """A source, a destination, what is carried, and when (Quartz's cron, UTC)."""

    name: str
    source: Connector
    destination: Connector
    streams: tuple[dict[str, Any], ...]
    schedule: str


def secret(name: str) -> dict[str, str]:
    """Return the mark that stands for a secret."""
    return {"secret": name}


def _source(environment: Environment) -> dict[str, Any]:
    found = pipelines.source(environment, "", None)
    return {**found, "auth": {**found["auth"], "client_secret": secret(pipelines.CLIENT_SECRET)}}


def _destination(environment: Environment) -> dict[str, Any]:
    database = environment.hosts_of(Role.DATABASE)[0]
    return {
        "host": str(database.address),
        "port": 5432,
        "database": warehouse.NAME,
        "username": warehouse.LOADER,
        "password": secret(warehouse.secret_of(warehouse.LOADER)),
        # The platform gives its jobs no file: the server's authority cannot be named to them.
        "sslmode": "require",
        "schema": warehouse.RAW,
    }


def _stream(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "syncMode": "incremental_deduped_history",
        "primaryKey": [["id"]],
    }


def schedule(minutes: int) -> str:
    """Return the cron expression for every so many minutes; from an hour on, whole hours."""
    if minutes < 60:
        return f"0 0/{minutes} * * * ? UTC"
    hours = minutes // 60
    return f"0 0 {f'0/{hours}' if hours < 24 else '0'} * * ? UTC"


def connection(environment: Environment) -> Connection | None:
    """Return the connection; None where the runner carries the data."""
    if not environment.runs("airbyte") or environment.analytics.airbyte != "platform":
        return None
    return Connection(
        name="fhir-to-warehouse",
        source=Connector("fhir", IMAGES["source"], _source(environment)),
        destination=Connector("warehouse", IMAGES["destination"], _destination(environment)),
        streams=tuple(_stream(name) for name in (*pipelines.tables(), SWEEP)),
        schedule=schedule(environment.analytics.every_minutes),
    )


def render_connection(environment: Environment) -> str | None:
    """Return the connection as YAML; None where the runner carries the data."""
    found = connection(environment)
    if found is None:
        return None
    data = asdict(found)
    data["streams"] = list(data["streams"])
    return _HEADER + str(yaml.safe_dump(data, sort_keys=False))
