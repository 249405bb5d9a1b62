"""All services of the platform, and what they need together."""

from fhirstack.model.site import Environment, WebService
from fhirstack.services import (
    edge,
    fhir_gateway,
    fhir_server,
    fhir_web,
    keycloak,
    pipelines,
    postgresql,
    redis,
    superset,
    warehouse,
)
from fhirstack.services.superset import names as superset_names
from fhirstack.services.workload import Context, Database, Workload

SECRETS: tuple[str, ...] = (
    postgresql.SUPERUSER_SECRET,
    keycloak.DATABASE.secret,
    "postgresql-fhir",
    redis.ADMIN_SECRET,
    keycloak.BOOTSTRAP_SECRET,
    keycloak.CONSOLE_SECRET,
    fhir_gateway.PAGE_LINK_SECRET,
    "client-web",
    pipelines.CLIENT_SECRET,
    *fhir_web.SECRETS,
    *superset.SECRETS,
    *warehouse.SECRETS,
)
"""Names of the generated secrets."""


def databases(environment: Environment) -> tuple[Database, ...]:
    """Return every database that the services of an environment need."""
    return tuple(d for service, d in _databases(environment) if environment.runs(service))


def unused_databases(environment: Environment) -> tuple[Database, ...]:
    """Return the databases of the services that do not run: their data is kept."""
    return tuple(d for service, d in _databases(environment) if not environment.runs(service))


def _databases(environment: Environment) -> tuple[tuple[WebService, Database], ...]:
    return (
        ("keycloak", keycloak.DATABASE),
        ("fhir", fhir_server.database(environment)),
        ("superset", superset.DATABASE),
        ("airbyte", warehouse.database()),
    )


def redis_users(environment: Environment) -> tuple[redis.User, ...]:
    """Return the clients of Redis, each kept to keys of its own."""
    found = []
    if fhir_web.reason(environment) is None:
        found.append(fhir_web.REDIS_USER)
    if environment.runs("superset"):
        keys = f"{superset_names.REDIS_PREFIX}*"
        found.append(
            redis.User(
                superset_names.REDIS_USER,
                superset.REDIS_SECRET,
                keys,
                superset_names.REDIS_COMMANDS,
            )
        )
    return tuple(found)


def workloads(context: Context) -> tuple[Workload, ...]:
    """Return every workload, each after those that it cannot start without."""
    environment = context.environment
    found = [
        postgresql.workload(context, databases(environment)),
        redis.workload(context, redis_users(environment)),
        edge.workload(context),
        keycloak.workload(context),
        fhir_server.workload(context),
        fhir_gateway.workload(context),
    ]
    if web := fhir_web.workload(context):
        found.append(web)
    if environment.runs("superset"):
        found.append(superset.workload(context))
    if environment.runs("airbyte"):
        found.append(pipelines.workload(context))
    return tuple(found)
