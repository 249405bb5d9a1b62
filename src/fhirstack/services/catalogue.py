"""All services of the platform, and what they need together."""

from fhirstack.services import edge, fhir_gateway, fhir_server, keycloak, postgresql, redis
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
    "client-pipelines",
)
"""Names of the generated secrets."""


def databases(context: Context) -> tuple[Database, ...]:
    """Return every database that the services need."""
    return (keycloak.DATABASE, fhir_server.database(context))


def workloads(context: Context) -> tuple[Workload, ...]:
    """Return every workload, each after those that it cannot start without."""
    return (
        postgresql.workload(context, databases(context)),
        redis.workload(context),
        edge.workload(context),
        keycloak.workload(context),
        fhir_server.workload(context),
        fhir_gateway.workload(context),
    )
