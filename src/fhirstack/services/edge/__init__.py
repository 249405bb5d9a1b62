"""The edge: HAProxy. TLS for one name a service, limits, and what stays closed from outside."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment as Templates
from jinja2 import StrictUndefined

from fhirstack.model.host import Role
from fhirstack.model.site import Environment
from fhirstack.services.node_ports import NODE_PORTS
from fhirstack.services.workload import Context, Endpoint, File, TcpProbe, Workload

NAME = "edge"
CERTIFICATES = "/etc/haproxy/certs"
API_PORT = 6443
ACME_ADDRESS = "127.0.0.1:8402"
"""Where what gets the certificates listens for ACME's challenges while it asks."""
GATEWAY_PREFIX = "/gateway"
"""Where FHIR Web finds the gateway on its own origin: its pages use ``/fhir/…`` themselves."""

FAULTS = {
    400: (
        "invalid",
        "The address has a sign or a spelling that is not allowed.",
    ),
    403: ("forbidden", "This is not open here."),
    404: ("not-found", "There is nothing at this address."),
    405: ("not-supported", "This method is not allowed."),
    408: ("timeout", "The request came too slowly; send it again."),
    413: ("too-long", "The request is larger than is allowed here."),
    421: ("not-found", "This connection was made for another name."),
    429: ("throttled", "Too many of these at a time; try again later."),
    500: ("exception", "The entry to the services failed."),
    502: ("transient", "The service broke off its answer."),
    503: ("transient", "The service does not answer, or has no room now; try again."),
    504: ("timeout", "The service took too long."),
}
"""What the edge answers by itself: the status, FHIR's issue type, and the text."""

_ROUTES = {
    "fhir": ("fhir-gateway", "http"),
    "keycloak": ("keycloak", "http"),
    "web": ("fhir-web", "http"),
    "superset": ("superset", "http"),
}


@dataclass(frozen=True)
class Listen:
    """Where the edge listens, and the directory of its certificates.

    ``address6``: where it listens too, in brackets. ``system``: it is the service of a host, with
    an account, a cage and the log of the system.
    """

    address: str
    certificates: str
    socket: str
    address6: str = ""
    system: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses, as HAProxy writes them."""
        return (self.address, self.address6) if self.address6 else (self.address,)


@dataclass(frozen=True)
class ClusterApi:
    """Where the cluster's API is handed on: who listens, and the primary nodes by name."""

    addresses: tuple[str, ...]
    port: int
    primaries: tuple[tuple[str, Endpoint], ...]


def outcome(code: str, text: str) -> str:
    """Return an OperationOutcome as JSON."""
    issue = {"severity": "error", "code": code, "diagnostics": text}
    body = {"resourceType": "OperationOutcome", "issue": [issue]}
    return json.dumps(body, separators=(",", ":"))


def web_fhir_base(environment: Environment) -> str:
    """Return the FHIR base on FHIR Web's own origin."""
    return f"{environment.url('web')}{GATEWAY_PREFIX}/fhir"


def render(
    environment: Environment,
    listen: Listen,
    backends: Mapping[str, Endpoint | Sequence[Endpoint]],
    *,
    data_import: bool = False,
    api: ClusterApi | None = None,
    acme: str | None = None,
) -> str:
    """Return ``haproxy.cfg`` for an environment. ``backends``: web service to where it runs.

    Of several places those that answer are used in turn.

    FHIR Web's name is served even where it does not run: with the gateway below its prefix, and
    a page that says so. ``data_import`` opens its import jobs, which it shows to all its users.
    ``acme``: where ACME's challenges are answered, which come by HTTP.
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
            backends={
                name: [ends] if isinstance(ends, Endpoint) else ends
                for name, ends in backends.items()
            },
            faults=FAULTS,
            outcome=outcome,
            api=api,
            acme=acme,
            served=[*backends, *web],
            prefix=GATEWAY_PREFIX,
            web_fhir_base=web_fhir_base(environment),
            data_import=data_import,
            header_bytes=environment.edge.max_header_kib * 1024,
            body_bytes=environment.edge.max_body_mib * 2**20,
        )
        + "\n"
    )


def render_for_host(environment: Environment) -> str:
    """Return the load balancer's ``haproxy.cfg``: workers' node ports, and the cluster's API."""
    balancer = environment.hosts_of(Role.LOAD_BALANCER)[0]
    workers = environment.hosts_of(Role.WORKER)
    backends = {
        name: tuple(Endpoint(str(host.address), NODE_PORTS[service]) for host in workers)
        for name, service in cluster_routes(environment).items()
    }
    api = ClusterApi(
        tuple(f"[{item}]" if item.version == 6 else str(item) for item in balancer.addresses),
        API_PORT,
        tuple(
            (host.name, Endpoint(str(host.address), API_PORT))
            for host in environment.hosts_of(Role.PRIMARY)
        ),
    )
    listen = Listen(
        address="0.0.0.0",  # noqa: S104 - the public entry
        address6="[::]" if environment.network.public_address6 or balancer.address6 else "",
        certificates=CERTIFICATES,
        socket="/run/haproxy/admin.sock",
        system=True,
    )
    acme = ACME_ADDRESS if environment.tls.issuer == "letsencrypt" else None
    return render(environment, listen, backends, api=api, acme=acme)


def cluster_routes(environment: Environment) -> dict[str, str]:
    """Return the web services that a cluster runs, and the service behind each name."""
    behind = {name: service for name, (service, _) in _ROUTES.items()} | {"airbyte": "airbyte"}
    web_runs = environment.fhir_web.named
    return {name: behind[name] for name in environment.dns_names if name != "web" or web_runs}


def workload(context: Context, *, data_import: bool = False) -> Workload:
    """Return HAProxy for one machine, where FHIR Web runs from a directory only."""
    environment = context.environment
    web_runs = bool(environment.fhir_web.directory or environment.fhir_web.build)
    backends: dict[str, Endpoint | Sequence[Endpoint]] = {
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
