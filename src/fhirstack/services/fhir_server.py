"""The FHIR server: HAPI FHIR JPA R4, configured by the keys of ``hapiproject/hapi``."""

import yaml

from fhirstack.model.site import Environment
from fhirstack.services import postgresql
from fhirstack.services.workload import (
    Context,
    Database,
    File,
    HttpProbe,
    Workload,
    java_options,
)

NAME = "fhir-server"
ROLE = "fhir"


def database(environment: Environment) -> Database:
    """Return the FHIR store's database; its pool is the site's to decide."""
    return Database(
        name="fhir",
        role=ROLE,
        secret="postgresql-fhir",  # noqa: S106 - a secret's name
        pool=environment.fhir_server.connection_pool,
        service=NAME,
        versions=("fhir_server_schema",),
    )


def backend_url(context: Context) -> str:
    """Return the FHIR base inside the platform: the gateway's PROXY_TO, byte for byte."""
    return f"http://{context.endpoint(NAME, 'http')}/fhir"


def render_config(context: Context) -> str:
    """Return ``application.yaml`` with the same keys that the official image reads."""
    environment = context.environment
    store = database(environment)
    web = context.endpoint(NAME, "http")
    management = context.endpoint(NAME, "management")
    expunge = environment.fhir_server.delete_expunge
    config = {
        "spring": {
            "datasource": {
                "url": (
                    f"jdbc:postgresql://{context.endpoint(postgresql.NAME, 'sql')}/{store.name}"
                ),
                "username": store.role,
                "password": context.secret(store.secret),
                "driverClassName": "org.postgresql.Driver",
                "hikari": {"maximum-pool-size": store.pool, "minimum-idle": 2},
            },
            "jpa": {
                "properties": {
                    "hibernate.dialect": "ca.uhn.fhir.jpa.model.dialect.HapiFhirPostgresDialect",
                    "hibernate.hbm2ddl.auto": "update",
                    "hibernate.search.enabled": False,
                }
            },
        },
        "server": {
            "address": web.host,
            "port": web.port,
            "max-http-request-header-size": f"{environment.edge.max_header_kib}KB",
            # The gateway's connections are kept: closing each after 100 requests costs time.
            "tomcat": {"max-keep-alive-requests": 10000},
        },
        "management": {
            "server": {"address": management.host, "port": management.port},
            "endpoints": {"web": {"exposure": {"include": "health,prometheus"}}},
        },
        "hapi": {
            "fhir": {
                "fhir_version": "R4",
                # The gateway replaces this base in all that it hands on: reference, finding 7.9.
                "server_address": backend_url(context),
                "use_apache_address_strategy": False,
                "allow_cascading_deletes": expunge,
                "allow_multiple_delete": expunge,
                "delete_expunge_enabled": expunge,
                "expunge_enabled": expunge,
                "client_id_strategy": "ANY",
                # A third less to send, and to parse on telephones.
                "default_pretty_print": False,
                "allow_external_references": True,
                # The Android app uploads what refers to records that come in a later bundle.
                "enforce_referential_integrity_on_write": False,
                "enforce_referential_integrity_on_delete": False,
                "subscription": {"resthook_enabled": False},
                "bulk_export_enabled": False,
                "validation": {
                    "requests_enabled": environment.fhir_server.validate_requests,
                    "responses_enabled": False,
                },
                "default_page_size": 20,
                "max_page_size": 1000,
            }
        },
    }
    return str(yaml.safe_dump(config, sort_keys=False))


def workload(context: Context) -> Workload:
    """Return the FHIR server's process."""
    return Workload(
        name=NAME,
        command=(
            str(context.artifacts["java"]),
            *java_options(context, heap_mib=640, metaspace_mib=256),
            "-jar",
            str(context.artifacts[NAME] / "fhir-server.jar"),
        ),
        environment={"SPRING_CONFIG_LOCATION": f"file:{context.config(NAME, 'application.yaml')}"},
        files=(File("application.yaml", render_config(context)),),
        ports=("http", "management"),
        probe=HttpProbe("management", "/actuator/health/readiness"),
        needs=(postgresql.NAME,),
    )
