"""FHIR Web: OpenSRP's administration pages, and the server that logs people in for them.

Its licence (BSL) lets nobody ship it: a site names an image, an unpacked image or a build. Facts:
its documentation, its published sources, and what was seen of v3.3.3 with server v2.1.1.
"""

from fhirstack.services.fhir_web.cluster import ClusterWorkload, cluster_workload
from fhirstack.services.fhir_web.layout import Layout, absolute, found_in, layout
from fhirstack.services.fhir_web.local import NAME, NODE, reason, workload
from fhirstack.services.fhir_web.pages import render_config
from fhirstack.services.fhir_web.searches import search_parameters
from fhirstack.services.fhir_web.server import REDIS_USER, SECRETS
from fhirstack.services.fhir_web.web_root import check_readable, differing, lay_out, web_root

__all__ = [
    "NAME",
    "NODE",
    "REDIS_USER",
    "SECRETS",
    "ClusterWorkload",
    "Layout",
    "absolute",
    "check_readable",
    "cluster_workload",
    "differing",
    "found_in",
    "lay_out",
    "layout",
    "reason",
    "render_config",
    "search_parameters",
    "web_root",
    "workload",
]
