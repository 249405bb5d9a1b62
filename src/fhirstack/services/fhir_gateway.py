"""The FHIR Info Gateway: who may do what with which record."""

import json

from fhirstack.model.site import Application, Environment
from fhirstack.services import edge, fhir_server
from fhirstack.services.workload import Context, File, HttpProbe, Workload, java_options

NAME = "fhir-gateway"
PAGE_LINK_SECRET = "gateway-page-links"  # noqa: S105 - a secret's name


def render_allowed_queries(application: Application) -> str:
    """Return the exact list of what may be read without a token: the app's own configuration.

    The app first asks for its ImplementationGuide by name, then for the Composition, in the
    version that the guide names, and for the Binaries and Parameters that the Composition names
    (opensrp/fhircore ``AppSettingViewModel``, 2.0.0 to 2.2.2). OpenSRP's own list opens every
    Binary, every Composition and posted bundles (reference 7.1 to 7.3). The gateway refuses such
    a list at start.
    """
    public = {
        "Composition": application.public_compositions,
        "Binary": application.public_binaries,
        "Parameters": application.public_parameters,
    }
    named = [(kind, name) for kind, names in public.items() for name in names]
    reads = [f"{kind}/{name}" for kind, name in named]
    searches = [
        ("ImplementationGuide", {"name:exact": application.id}),
        ("Composition", {"identifier": application.id}),
        *((kind, {"_id": name}) for kind, name in named),
    ]
    common = {
        "requestType": "GET",
        "allowExtraParams": False,
        "allParamsRequired": True,
        "allowUnauthenticatedRequests": True,
    }
    entries = [{"path": path, "queryParams": {}, **common} for path in reads]
    entries += [{"path": path, "queryParams": params, **common} for path, params in searches]
    return json.dumps({"entries": entries}, indent=2) + "\n"


def _origins(environment: Environment) -> dict[str, str]:
    """Return the browser origin that may call the gateway, and where it finds it on its own."""
    if not environment.runs("web"):
        return {}
    return {
        "CORS_ALLOW_ORIGIN": environment.url("web"),
        "ALTERNATE_BASE_URLS": edge.web_fhir_base(environment),
    }


def workload(context: Context) -> Workload:
    """Return the gateway's process. Environment names are those of OpenSRP's own image."""
    environment = context.environment
    clients = environment.realm.clients
    body_mib = environment.edge.max_body_mib
    web = context.endpoint(NAME, "http")
    management = context.endpoint(NAME, "management")
    trust: tuple[str, ...] = ()
    if environment.tls.issuer == "local":
        trust = (f"-Djavax.net.ssl.trustStore={context.tls_root / 'trust.p12'}",)
    return Workload(
        name=NAME,
        command=(
            str(context.artifacts["java"]),
            # A body that is judged is in memory several times over.
            *java_options(context, heap_mib=max(256, 8 * body_mib), metaspace_mib=128),
            *trust,
            "-jar",
            str(context.artifacts[NAME] / "fhir-gateway.jar"),
        ),
        environment={
            "PROXY_TO": fhir_server.backend_url(context),
            "PUBLIC_BASE_URL": environment.fhir_base,
            "TOKEN_ISSUER": environment.issuer,
            "TOKEN_CLIENTS": ",".join((clients.android.id, clients.web.id, clients.pipelines.id)),
            "ACCESS_CHECKER": "permission",
            "BACKEND_TYPE": "HAPI",
            "RUN_MODE": "PROD",
            "ALLOWED_QUERIES_FILE": str(context.config(NAME, "allowed-queries.json")),
            "PAGE_LINK_SECRET_FILE": str(context.config(NAME, "page-link-secret")),
            "SERVER_ADDRESS": web.host,
            "SERVER_PORT": str(web.port),
            "SERVER_MAX_HTTP_REQUEST_HEADER_SIZE": f"{environment.edge.max_header_kib}KB",
            "SERVER_TOMCAT_MAX_KEEP_ALIVE_REQUESTS": "10000",
            # What the edge lets through: a lower limit would refuse every try of an upload.
            "GATEWAY_MAX_BODY": f"{body_mib}MB",
            "GATEWAY_MAX_BODIES": f"{body_mib + 8}MB",
            # The other half of the FHIR server's connections is for who reads.
            "GATEWAY_MAX_WRITES": str(environment.fhir_server.connection_pool // 2),
            "MANAGEMENT_SERVER_ADDRESS": management.host,
            "MANAGEMENT_SERVER_PORT": str(management.port),
            "TLS_DIGEST": context.tls_digest,
            **_origins(environment),
        },
        files=(
            File("allowed-queries.json", render_allowed_queries(environment.application)),
            File("page-link-secret", context.secret(PAGE_LINK_SECRET)),
        ),
        ports=("http", "management"),
        probe=HttpProbe("management", "/actuator/health/readiness"),
        # It starts without Keycloak and without the edge, but is ready only with both.
        needs=(fhir_server.NAME, "keycloak", edge.NAME),
    )
