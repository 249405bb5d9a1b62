"""The edge: HAProxy. TLS for one name a service, limits, and what stays closed from outside."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment as Templates
from jinja2 import StrictUndefined

from fhirstack.model.site import Environment
from fhirstack.services.workload import Context, Endpoint, File, TcpProbe, Workload

NAME = "edge"
GATEWAY_PREFIX = "/gateway"
"""Where FHIR Web finds the gateway on its own origin: its pages use ``/fhir/…`` themselves."""

_ROUTES = {
    "fhir": ("fhir-gateway", "http"),
    "keycloak": ("keycloak", "http"),
    "web": ("fhir-web", "http"),
    "superset": ("superset", "http"),
}


@dataclass(frozen=True)
class Listen:
    """Where the edge listens, and the directory of its certificates."""

    address: str
    certificates: str
    socket: str


def web_fhir_base(environment: Environment) -> str:
    """Return the FHIR base on FHIR Web's own origin."""
    return f"{environment.url('web')}{GATEWAY_PREFIX}/fhir"


def render(
    environment: Environment,
    listen: Listen,
    backends: Mapping[str, Endpoint],
    *,
    data_import: bool = False,
) -> str:
    """Return ``haproxy.cfg`` for an environment. ``backends``: web service to where it runs.

    FHIR Web's name is served even where it does not run: with the gateway below its prefix, and
    a page that says so. ``data_import`` opens its import jobs, which it shows to all its users.
    """
    templates = Templates(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701
    )
    source = (files(__name__) / "haproxy.cfg.j2").read_text(encoding="utf-8")
    web = [name for name in ("web",) if name in environment.services and name not in backends]
    return (
        templates.from_string(source).render(
            environment=environment,
            edge=environment.edge,
            listen=listen,
            backends=backends,
            served=[*backends, *web],
            prefix=GATEWAY_PREFIX,
            web_fhir_base=web_fhir_base(environment),
            data_import=data_import,
            header_bytes=environment.edge.max_header_kib * 1024,
            body_bytes=environment.edge.max_body_mib * 2**20,
        )
        + "\n"
    )


def workload(context: Context, *, data_import: bool = False) -> Workload:
    """Return HAProxy for one machine, where FHIR Web runs from a directory only."""
    environment = context.environment
    web_runs = bool(environment.fhir_web.directory or environment.fhir_web.build)
    backends: dict[str, Endpoint] = {
        name: context.endpoint(*target)
        for name, target in _ROUTES.items()
        if name in environment.services and (name != "web" or web_runs)
    }
    listen = Listen(
        address=context.endpoint(NAME, "https").host,
        certificates=str(context.tls_root / "edge"),
        socket=str(context.run_root / "edge.sock"),
    )
    binary = str(context.artifacts["haproxy"])
    text = render(environment, listen, backends, data_import=data_import)
    return Workload(
        name=NAME,
        command=(binary, "-db", "-q", "-f", str(context.config(NAME, "haproxy.cfg"))),
        files=(File("haproxy.cfg", text),),
        environment={"TLS_DIGEST": context.tls_digest},
        ports=("https", "http"),
        probe=TcpProbe("https"),
        stop_signal="USR1",
        start_limit_seconds=30,
    )
