"""The edge: HAProxy. TLS for one name a service, limits, and what stays closed from outside."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment as Templates
from jinja2 import StrictUndefined

from fhirstack.model.site import Environment
from fhirstack.services.workload import Context, Endpoint, File, TcpProbe, Workload

NAME = "edge"

_ROUTES = {"fhir": ("fhir-gateway", "http"), "keycloak": ("keycloak", "http")}


@dataclass(frozen=True)
class Listen:
    """Where the edge listens, and the directory of its certificates."""

    address: str
    certificates: str
    socket: str


def render(environment: Environment, listen: Listen, backends: Mapping[str, Endpoint]) -> str:
    """Return ``haproxy.cfg`` for an environment. ``backends``: web service to where it runs."""
    templates = Templates(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701
    )
    source = (files(__name__) / "haproxy.cfg.j2").read_text(encoding="utf-8")
    return (
        templates.from_string(source).render(
            environment=environment,
            edge=environment.edge,
            listen=listen,
            backends=backends,
            header_bytes=environment.edge.max_header_kib * 1024,
            body_bytes=environment.edge.max_body_mib * 2**20,
        )
        + "\n"
    )


def workload(context: Context) -> Workload:
    """Return HAProxy for one machine."""
    environment = context.environment
    backends: dict[str, Endpoint] = {
        name: context.endpoint(*target)
        for name, target in _ROUTES.items()
        if name in environment.services
    }
    listen = Listen(
        address=context.endpoint(NAME, "https").host,
        certificates=str(context.tls_root / "edge"),
        socket=str(context.run_root / "edge.sock"),
    )
    binary = str(context.artifacts["haproxy"])
    return Workload(
        name=NAME,
        command=(binary, "-db", "-q", "-f", str(context.config(NAME, "haproxy.cfg"))),
        files=(File("haproxy.cfg", render(environment, listen, backends)),),
        environment={"TLS_DIGEST": context.tls_digest},
        ports=("https", "http"),
        probe=TcpProbe("https"),
        stop_signal="USR1",
        start_limit_seconds=30,
    )
