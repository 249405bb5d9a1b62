"""The values of Airbyte's Helm chart: from the environment, with secrets by reference only.

Facts: the chart's own ``values.yaml`` and ``config.yaml`` (charts/v2 of airbyte-platform), and
Airbyte's documentation of chart V2.
"""

from dataclasses import dataclass
from typing import Any

import yaml

from fhirstack.model.host import Role
from fhirstack.model.site import Environment
from fhirstack.services.workload import Database

Values = dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """The chart, and the version whose values these are."""

    name: str
    version: str


CHART = Chart("airbyte", "2.3.0")

DATABASE = Database(
    name="airbyte",
    role="airbyte",
    secret="postgresql-airbyte",  # noqa: S106 - a secret's name
    # The server's pool and worker's, Temporal's four services, and what starts and migrates.
    pool=60,
    service="airbyte",
)
"""Its own. Temporal's ``temporal`` and ``temporal_visibility`` belong to the same role."""

SECRET = "airbyte-config"  # noqa: S105 - the name of a cluster's secret
SECRET_KEYS = {
    "database-password": DATABASE.secret,
    "instance-admin-password": "airbyte-admin",
    "AWS_ACCESS_KEY_ID": "airbyte-object-store-user",
    "AWS_SECRET_ACCESS_KEY": "airbyte-object-store",
}
"""The keys of the cluster's secret, each with the name of the generated secret that it holds."""
PLAIN_KEYS = {"database-user": DATABASE.role}
"""Also in the cluster's secret, since Temporal reads it from there; it is no secret."""
SECRETS = tuple(SECRET_KEYS.values())

ROLE_LABEL = "fhirstack.org/role"
_COMPONENTS = {
    "bootloader": ("50m", "256Mi", "512Mi"),
    "webapp": ("50m", "64Mi", "256Mi"),
    "server": ("200m", "768Mi", "1536Mi"),
    "worker": ("200m", "512Mi", "1Gi"),
    "workloadLauncher": ("100m", "384Mi", "768Mi"),
    "workloadApiServer": ("100m", "384Mi", "768Mi"),
    "temporal": ("100m", "384Mi", "768Mi"),
    "cron": ("50m", "256Mi", "512Mi"),
}
"""CPU asked for, memory asked for, and memory at most: they fit beside Superset on 8 GB."""

_HEADER = f"""\
# Values of the Helm chart {CHART.name} {CHART.version}.
# Rendered from the site; not proved: the platform has not run with these values here.
# Secrets stand in the cluster's secret {SECRET!r}, never in this file.
"""


@dataclass(frozen=True)
class ObjectStore:
    """An S3-compatible store that is there already: its address and the bucket for all of it."""

    endpoint: str
    bucket: str


def _place() -> Values:
    """Return where the pods run: the analytics node, whose taint keeps others away."""
    role = Role.ANALYTICS.value
    return {
        "nodeSelector": {ROLE_LABEL: role},
        "tolerations": [
            {"key": ROLE_LABEL, "operator": "Equal", "value": role, "effect": "NoSchedule"}
        ],
    }


def _component(name: str) -> Values:
    cpu, memory, most = _COMPONENTS[name]
    return {
        **_place(),
        "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": most}},
    }


def _storage(store: ObjectStore | None) -> Values:
    """Return where logs and state go.

    The chart wants an object store: its type ``local`` is each pod's own disk, which the others
    do not see. Its own MinIO is the last resort, with keys that are not the chart's known ones.
    """
    bucket = store.bucket if store else "airbyte"
    kinds = ("log", "auditLogging", "state", "workloadOutput", "activityPayload")
    endpoint = {"endpoint": store.endpoint} if store else {}
    return {
        "type": "minio",
        "secretName": SECRET,
        "bucket": dict.fromkeys(kinds, bucket),
        "minio": {
            "accessKeyIdSecretKey": "AWS_ACCESS_KEY_ID",
            "secretAccessKeySecretKey": "AWS_SECRET_ACCESS_KEY",
            **endpoint,
        },
    }


def values(environment: Environment, store: ObjectStore | None = None) -> Values | None:
    """Return the chart's values; None where the runner carries the data."""
    if not environment.runs("airbyte") or environment.analytics.airbyte != "platform":
        return None
    database = environment.hosts_of(Role.DATABASE)[0]
    return {
        "global": {
            "edition": "community",
            "airbyteUrl": environment.url("airbyte"),
            "secretName": SECRET,
            "auth": {
                "enabled": True,
                "instanceAdmin": {
                    "secretName": SECRET,
                    "firstName": "Programme",
                    "lastName": "Administrator",
                    "passwordSecretKey": "instance-admin-password",
                },
                # The edge serves TLS, and nothing else leads here.
                "security": {"cookieSecureSetting": True, "cookieSameSiteSetting": "Strict"},
            },
            "database": {
                "type": "external",
                "secretName": SECRET,
                "host": str(database.address),
                "port": 5432,
                "name": DATABASE.name,
                "userSecretKey": "database-user",
                "passwordSecretKey": "database-password",
            },
            "storage": _storage(store),
            "tracking": {"enabled": False, "strategy": "logging"},
            "jobs": {
                # The chart turns these into text: booleans and numbers would be lost.
                "kube": _place(),
                "errors": {"reportingStrategy": "logging"},
            },
            "workloads": {
                "resources": {
                    "mainContainer": {
                        "cpu": {"request": "200m", "limit": "1"},
                        "memory": {"request": "256Mi", "limit": "512Mi"},
                    }
                }
            },
        },
        "postgresql": {"enabled": False},
        "minio": {
            "enabled": store is None,
            **_place(),
            "storage": {"volumeClaimValue": "10Gi"},
        },
        "temporal": {
            **_component("temporal"),
            # Made by the tool beforehand: the role may not make databases.
            "env_vars": {"SKIP_DB_CREATE": "true"},
        },
        **{name: _component(name) for name in _COMPONENTS if name != "temporal"},
        "server": {**_component("server"), "configDbMaxPoolSize": "15"},
        # The edge leads to the service; there is no second way in.
        "ingress": {"enabled": False},
        "keycloak": {"enabled": False},
        "connectorRolloutWorker": {"enabled": False},
        "metrics": {"enabled": False},
    }


def render_values(environment: Environment, store: ObjectStore | None = None) -> str | None:
    """Return ``values.yaml``; None where the runner carries the data."""
    found = values(environment, store)
    return None if found is None else _HEADER + str(yaml.safe_dump(found, sort_keys=False))
