"""FHIR Web in a cluster: OpenSRP's image and what its objects need, as data."""

from collections.abc import Mapping
from dataclasses import dataclass

from fhirstack.model.site import Environment
from fhirstack.services.fhir_web.pages import render_config
from fhirstack.services.fhir_web.server import Places, public_settings, secret_settings
from fhirstack.services.workload import File

PORT = 3000
WEB_ROOT = "/usr/src/web"
TEMPLATE = "/etc/confd/templates/config.js.tmpl"
"""The image writes ``config.js`` from this file when it starts."""
REDIS_URL_SECRET = "fhir-web-redis-url"  # noqa: S105 - a secret's name


@dataclass(frozen=True)
class ClusterWorkload:
    """What the objects need. ``secrets``: variable to the name of the secret that holds its value.

    ``files`` have absolute paths in the container; ``scratch`` are directories it writes to.
    """

    image: str
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    files: tuple[File, ...]
    scratch: tuple[str, ...]
    port: int
    replicas: int = 2
    run_as_user: int = 1000
    cpu_request: str = "100m"
    memory_request: str = "256Mi"
    memory_limit: str = "512Mi"


def cluster_workload(environment: Environment) -> ClusterWorkload | None:
    """Return FHIR Web for a cluster, or None where the site names no image.

    The process listens on all addresses of its pod: a network policy admits the edge only. Its
    probe asks the port, not a page: each answer leaves a session in Redis. The secret
    ``fhir-web-redis-url`` is ``redis_url`` with the password inside. More than one replica needs
    Redis, which this always names.
    """
    image = environment.fhir_web.image
    if image is None:
        return None
    version = image.rpartition(":")[2] if ":" in image.rpartition("/")[2] else ""
    work = "/tmp/fhir-web"  # noqa: S108 - a directory of the pod's own
    return ClusterWorkload(
        image=image,
        environment=public_settings(environment, Places(WEB_ROOT, work), PORT),
        secrets={**secret_settings(), "EXPRESS_REDIS_STAND_ALONE_URL": REDIS_URL_SECRET},
        files=(File(TEMPLATE, render_config(environment, version)),),
        scratch=(work,),
        port=PORT,
    )
