"""Superset: dashboards on the warehouse, for people who log in with Keycloak.

The web server and the set-up program (``fhirstack_superset``, in the artifact ``ASSETS``) share
one configuration. Secrets are in files that only the service's user reads.
"""

from fhirstack.services import edge, keycloak, postgresql, redis
from fhirstack.services.superset.configuration import render_config
from fhirstack.services.superset.names import (
    ASSETS,
    CLIENT_SECRET,
    DATABASE,
    NAME,
    REDIS_SECRET,
    SIGNING_SECRET,
    WORKERS,
)
from fhirstack.services.superset.setup import render_setup, setup_command, setup_files
from fhirstack.services.workload import Context, File, HttpProbe, Workload

__all__ = [
    "ASSETS",
    "CLIENT_SECRET",
    "DATABASE",
    "NAME",
    "REDIS_SECRET",
    "SECRETS",
    "SIGNING_SECRET",
    "WORKERS",
    "environment",
    "render_config",
    "render_setup",
    "setup_command",
    "workload",
]

SECRETS = (DATABASE.secret, SIGNING_SECRET, REDIS_SECRET, CLIENT_SECRET)
"""Names of the generated secrets, beside those of the warehouse's roles."""

REQUEST_SECONDS = 120


def environment(context: Context) -> dict[str, str]:
    """Return the environment of the web server and of the set-up program."""
    variables = {
        "SUPERSET_CONFIG_PATH": str(context.config(NAME, "superset_config.py")),
        "SUPERSET_HOME": str(context.data(NAME)),
        "HOME": str(context.data(NAME)),
        "PYTHONPATH": str(context.artifacts[ASSETS]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(context.run_root / "tmp"),
        # Threads share few arenas, else each keeps tens of MiB to itself.
        "MALLOC_ARENA_MAX": "2",
    }
    if context.environment.tls.issuer == "local":
        authority = str(context.tls_root / "ca.pem")
        variables |= {"REQUESTS_CA_BUNDLE": authority, "SSL_CERT_FILE": authority}
    return variables


def workload(context: Context) -> Workload:
    """Return Superset's web server: one process whose threads share one import of the code.

    A thread is held for as long as its reader takes; few at a time are at work. What two addresses
    may hold leaves some to others.
    """
    web = context.endpoint(NAME, "http")
    threads = WORKERS + 2 * context.environment.edge.requests_per_address
    return Workload(
        name=NAME,
        command=(
            str(context.artifacts[NAME] / "bin/python"),
            *("-m", "gunicorn"),
            f"--bind={web}",
            "--workers=1",
            "--worker-class=gthread",
            f"--threads={threads}",
            f"--worker-connections={2 * threads}",
            f"--timeout={REQUEST_SECONDS}",
            "--graceful-timeout=20",
            "--keep-alive=75",
            "--no-control-socket",
            f"--worker-tmp-dir={context.run_root / 'tmp'}",
            # The frontend asks with long addresses.
            "--limit-request-line=8190",
            f"--limit-request-field_size={context.environment.edge.max_header_kib * 1024}",
            "superset.app:create_app()",
        ),
        environment={**environment(context), "TLS_DIGEST": context.tls_digest},
        files=(
            File("superset_config.py", render_config(context)),
            *setup_files(context),
        ),
        ports=("http",),
        probe=HttpProbe("http", "/health"),
        needs=(postgresql.NAME, redis.NAME, edge.NAME, keycloak.NAME),
        start_limit_seconds=240,
    )
