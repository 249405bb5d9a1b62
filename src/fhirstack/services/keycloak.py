"""Keycloak: identity and access. Facts: reference of Keycloak 26 and OpenSRP's path ``/auth``."""

from fhirstack.services import postgresql
from fhirstack.services.workload import (
    Context,
    Database,
    File,
    HttpProbe,
    Workload,
    java_options,
)

NAME = "keycloak"
PATH = "/auth"
BUILD_OPTIONS = (
    "--db=postgres",
    "--health-enabled=true",
    "--metrics-enabled=true",
    f"--http-relative-path={PATH}",
)
"""Options that Keycloak fixes when it is built; the cache of built servers is keyed by them."""

BOOTSTRAP_CLIENT = "fhirstack"
BOOTSTRAP_SECRET = "keycloak-admin-client"  # noqa: S105 - a secret's name
CONSOLE_USER = "admin"
CONSOLE_SECRET = "keycloak-admin"  # noqa: S105 - a secret's name
"""The person's account for the admin console; the tool itself uses the client above."""

DATABASE = Database(
    name="keycloak",
    role="keycloak",
    secret="postgresql-keycloak",  # noqa: S106 - a secret's name
    pool=15,
    service=NAME,
    versions=("databasechangelog", "databasechangeloglock"),
)

_BRUTE_FORCE = "spi-brute-force-protector--default-brute-force-detector"
_OPEN_PACKAGES = ("java.util", "java.util.concurrent", "java.security", "java.lang")


def render_config(context: Context) -> str:
    """Return ``keycloak.conf``.

    It holds secrets: a file, not arguments, so that no list of processes shows them.
    """
    database = context.endpoint(postgresql.NAME, "sql")
    web = context.endpoint(NAME, "http")
    management = context.endpoint(NAME, "management")
    header_bytes = context.environment.edge.max_header_kib * 1024
    settings = {
        "db-url": f"jdbc:postgresql://{database}/{DATABASE.name}",
        "db-username": DATABASE.role,
        "db-password": context.secret(DATABASE.secret),
        "db-pool-initial-size": "1",
        "db-pool-min-size": "1",
        "db-pool-max-size": str(DATABASE.pool),
        "http-enabled": "true",
        "http-host": web.host,
        "http-port": str(web.port),
        "http-management-host": management.host,
        "http-management-port": str(management.port),
        "http-pool-max-threads": "32",
        "hostname": context.environment.keycloak_url,
        # The admin console answers on the inner address only; the edge has no way to it.
        "hostname-admin": f"http://{web}{PATH}",
        # One server, and no cluster: else it listens for others, and not on loopback only.
        "cache": "local",
        "proxy-headers": "xforwarded",
        "proxy-trusted-addresses": "127.0.0.1",
        "bootstrap-admin-client-id": BOOTSTRAP_CLIENT,
        "bootstrap-admin-client-secret": context.secret(BOOTSTRAP_SECRET),
        "bootstrap-admin-username": CONSOLE_USER,
        "bootstrap-admin-password": context.secret(CONSOLE_SECRET),
        # Else the second of two right log-ins at once is refused as a guess. Failures count on.
        f"{_BRUTE_FORCE}--allow-concurrent-requests": "true",
        "log-console-color": "false",
        "quarkus.http.limits.max-header-size": str(header_bytes),
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def workload(context: Context) -> Workload:
    """Return Keycloak from a server that was built (``kc.sh build``) beforehand."""
    home = context.artifacts[NAME]
    java = context.artifacts["java"]
    opens = tuple(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPEN_PACKAGES)
    return Workload(
        name=NAME,
        command=(
            str(java),
            *java_options(context, heap_mib=384, metaspace_mib=224, start_first=True),
            *opens,
            # As kc.sh starts it; kc.sh itself would stand between us and the signals.
            "-Djava.util.concurrent.ForkJoinPool.common.threadFactory="
            "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
            "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
            "-Dquarkus-log-max-startup-records=10000",
            f"-Dkc.home.dir={context.data(NAME)}/home",
            f"-Djboss.server.config.dir={context.data(NAME)}/home/conf",
            "-cp",
            str(home / "lib/quarkus-run.jar"),
            "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
            f"--config-file={context.config(NAME, 'keycloak.conf')}",
            "start",
            "--optimized",
        ),
        files=(File("keycloak.conf", render_config(context)),),
        ports=("http", "management"),
        probe=HttpProbe("management", f"{PATH}/health/ready"),
        needs=(postgresql.NAME,),
    )
