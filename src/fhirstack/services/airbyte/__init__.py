"""Airbyte's platform, where a site chooses it instead of the runner (``airbyte: platform``).

It is published as images and a Helm chart only, under the Elastic License 2.0. This renders the
chart's values and the one connection; neither is proved here, for want of the platform.
"""

from fhirstack.services.airbyte.connection import Connection, connection, render_connection
from fhirstack.services.airbyte.values import (
    CHART,
    DATABASE,
    PLAIN_KEYS,
    SECRET_KEYS,
    SECRETS,
    ObjectStore,
    render_values,
    values,
)

__all__ = [
    "CHART",
    "DATABASE",
    "PLAIN_KEYS",
    "SECRETS",
    "SECRET_KEYS",
    "Connection",
    "ObjectStore",
    "connection",
    "render_connection",
    "render_values",
    "values",
]
