"""FHIR Web as a process of this machine."""

import shlex
from importlib.resources import files

from fhirstack.model.site import Environment
from fhirstack.services import edge, keycloak, redis
from fhirstack.services.fhir_web.layout import layout, server_digest
from fhirstack.services.fhir_web.server import (
    REDIS_SECRET,
    Places,
    public_settings,
    redis_url,
    secret_settings,
)
from fhirstack.services.workload import Context, File, TcpProbe, Workload

NAME = "fhir-web"
NODE = "node"
"""The artifact: the system's Node.js."""


def reason(environment: Environment) -> str | None:
    """Return why FHIR Web does not run on this machine, for people; None where it does."""
    setting = environment.fhir_web
    if setting.directory or setting.build:
        return None
    if setting.image:
        return (
            f"the image {setting.image} needs a cluster; "
            "here name an unpacked image: up --fhir-web DIR"
        )
    return (
        "its licence (BSL) lets nobody ship it; name an unpacked image or a build: "
        "up --fhir-web DIR (docs/fhir-web.md)"
    )


def render_environment(context: Context, places: Places) -> str:
    """Return the server's environment as a file for the shell: it holds secrets."""
    endpoint = context.endpoint(NAME, "http")
    values = public_settings(context.environment, places, endpoint.port)
    values |= {key: context.secret(name) for key, name in secret_settings().items()}
    address = str(context.endpoint(redis.NAME, "redis"))
    values["EXPRESS_REDIS_STAND_ALONE_URL"] = redis_url(context.secret(REDIS_SECRET), address)
    # Not named by the server: Node's trust in the local authority, and where it may listen.
    if context.environment.tls.issuer == "local":
        values["NODE_EXTRA_CA_CERTS"] = str(context.tls_root / "ca.pem")
    values["LISTEN_HOST"] = endpoint.host
    return "".join(f"export {key}={shlex.quote(value)}\n" for key, value in values.items())


def workload(context: Context) -> Workload | None:
    """Return the process, or None where the site names nothing that can run here.

    The server reads its environment only, and policies hold quotes, which supervisord's cannot:
    a shell reads them from a file and becomes the server. Raises UsageError for a place that
    does not hold FHIR Web.
    """
    if reason(context.environment) is not None:
        return None
    found = layout(context.environment.fhir_web)
    data = context.data(NAME)
    places = Places(web_root=str(data / "web"), work=str(data))
    node = str(context.artifacts[NODE])
    start = [node, "--require", str(context.config(NAME, "loopback.cjs")), str(found.server)]
    script = f". {shlex.quote(str(context.config(NAME, 'environment')))}\n"
    script += f"cd {shlex.quote(str(data))}\nexec {shlex.join(start)}\n"
    return Workload(
        name=NAME,
        command=("/bin/sh", "-e", str(context.config(NAME, "start"))),
        environment={"TLS_DIGEST": context.tls_digest, "SERVER_DIGEST": server_digest(found)},
        files=(
            File("start", script),
            File("environment", render_environment(context, places)),
            File("loopback.cjs", (files(__package__) / "loopback.cjs").read_text("utf-8")),
        ),
        ports=("http",),
        # Not a page: each answer to a new visitor leaves a session in Redis.
        probe=TcpProbe("http"),
        needs=(redis.NAME, keycloak.NAME, edge.NAME),
        start_limit_seconds=60,
    )
