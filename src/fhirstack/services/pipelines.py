"""The pipelines: source-fhir, destination-warehouse and dbt, run one after the other on a schedule.

The runner (``connectors/runner``) is what the Airbyte platform would be for this one connection.
"""

import json
import re
from typing import Any

import yaml

from fhirstack.model.records import TYPES
from fhirstack.model.site import Environment
from fhirstack.services import edge, fhir_gateway, keycloak, postgresql, warehouse
from fhirstack.services.workload import Context, File, HttpProbe, Workload

NAME = "sync"
CLIENT_SECRET = "client-pipelines"  # noqa: S105 - a secret's name
PYTHON, DBT, PROGRAMS = "connectors", "dbt", "pipelines"
"""The artifacts: two Python environments, and the connectors' and dbt project's own files."""

OVERLAP_SECONDS = 180
"""How late a write may become visible: more than the edge lets a request last (130 s)."""

VERIFY_TAG = {"system": "https://fhirstack.org/tags", "code": "verify"}
"""In ``meta.tag`` of every record of the checks: no programme's, and in no table of the marts."""


def table_of(resource_type: str) -> str:
    """Return a type's stream and table: ``QuestionnaireResponse`` is questionnaire_response."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", resource_type).lower()


def tables() -> tuple[str, ...]:
    """Return the streams that are carried: one table of the warehouse each."""
    return tuple(table_of(kind) for kind in TYPES)


def source(environment: Environment, secret: str, ca_file: str | None) -> dict[str, Any]:
    """Return source-fhir's configuration: through the gateway, with the pipelines' own client."""
    trust = {} if ca_file is None else {"ca_file": ca_file}
    return {
        "base_url": environment.fhir_base,
        "auth": {
            "type": "oauth2",
            "token_url": f"{environment.issuer}/protocol/openid-connect/token",
            "client_id": environment.realm.clients.pipelines.id,
            "client_secret": secret,
        },
        "resource_types": list(TYPES),
        "overlap_seconds": OVERLAP_SECONDS,
        "deletions": "auto",
        # By which progress and completeness are known.
        "totals": True,
        **trust,
    }


def destination(context: Context) -> dict[str, Any]:
    """Return destination-warehouse's configuration."""
    endpoint = context.endpoint(postgresql.NAME, "sql")
    return {
        "host": endpoint.host,
        "port": endpoint.port,
        "database": warehouse.NAME,
        "username": warehouse.LOADER,
        "password": context.secret(warehouse.secret_of(warehouse.LOADER)),
        # One machine, loopback: the hosts of a cluster use verify-full.
        "sslmode": "disable",
        "schema": warehouse.RAW,
    }


def variables(environment: Environment) -> dict[str, Any]:
    """Return the variables of the dbt project."""
    return {
        "smallest_group": environment.analytics.smallest_group,
        "dashboard_role": warehouse.DASHBOARD,
        "time_zone": environment.analytics.time_zone,
        "verify_tag": VERIFY_TAG,
    }


def profiles(context: Context) -> dict[str, Any]:
    """Return dbt's profiles."""
    endpoint = context.endpoint(postgresql.NAME, "sql")
    target = {
        "type": "postgres",
        "host": endpoint.host,
        "port": endpoint.port,
        "dbname": warehouse.NAME,
        "user": warehouse.TRANSFORMER,
        "password": context.secret(warehouse.secret_of(warehouse.TRANSFORMER)),
        "schema": warehouse.STAGING,
        "threads": warehouse.TRANSFORMER_THREADS,
        "connect_timeout": 10,
    }
    return {warehouse.NAME: {"target": warehouse.NAME, "outputs": {warehouse.NAME: target}}}


def runner(context: Context) -> dict[str, Any]:
    """Return the runner's own configuration."""
    endpoint = context.endpoint(postgresql.NAME, "sql")
    metrics = context.endpoint(NAME, "metrics")
    return {
        "python": str(context.artifacts[PYTHON] / "bin/python"),
        "source": str(context.config(NAME, "source.json")),
        "destination": str(context.config(NAME, "destination.json")),
        "streams": list(tables()),
        "warehouse": {
            "host": endpoint.host,
            "port": endpoint.port,
            "database": warehouse.NAME,
            "username": warehouse.LOADER,
            "password_file": str(context.config(NAME, "password")),
        },
        "transformation": {
            "python": str(context.artifacts[DBT] / "bin/python"),
            "project": str(context.artifacts[PROGRAMS] / "dbt"),
            "profiles": str(context.config(NAME)),
            "target": str(context.data(NAME) / "dbt"),
            "log": str(context.log_root),
            "variables": variables(context.environment),
        },
        "every_minutes": context.environment.analytics.every_minutes,
        "metrics": {"host": metrics.host, "port": metrics.port},
        "log": str(context.log_root / "sync-connectors.log"),
    }


def process(context: Context, verb: str, *options: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the command and environment of the runner with a verb: ``run`` or ``schedule``."""
    programs = context.artifacts[PROGRAMS]
    packages = ("source-fhir", "destination-warehouse", "runner")
    command = (
        str(context.artifacts[PYTHON] / "bin/python"),
        *("-m", "fhirstack_sync", verb),
        f"--config={context.config(NAME, 'sync.json')}",
        *options,
    )
    environment = {
        "PYTHONPATH": ":".join(str(programs / name) for name in packages),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DO_NOT_TRACK": "1",
    }
    return command, environment


def workload(context: Context) -> Workload:
    """Return the scheduled runner."""
    command, environment = process(context, "schedule")
    trust = str(context.tls_root / "ca.pem") if context.environment.tls.issuer == "local" else None
    secret = context.secret(CLIENT_SECRET)
    files = {
        "sync.json": json.dumps(runner(context), indent=2),
        "source.json": json.dumps(source(context.environment, secret, trust), indent=2),
        "destination.json": json.dumps(destination(context), indent=2),
        "profiles.yml": yaml.safe_dump(profiles(context), sort_keys=False),
        "password": context.secret(warehouse.secret_of(warehouse.LOADER)),
    }
    return Workload(
        name=NAME,
        command=command,
        environment={**environment, "TLS_DIGEST": context.tls_digest},
        files=tuple(File(path, content) for path, content in files.items()),
        ports=("metrics",),
        probe=HttpProbe("metrics", "/metrics"),
        needs=(postgresql.NAME, keycloak.NAME, fhir_gateway.NAME, edge.NAME),
        start_limit_seconds=60,
    )
