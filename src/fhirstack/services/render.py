"""What a cluster needs of services that this tool does not run itself: as files, pure."""

import json
from dataclasses import asdict
from typing import Any

import yaml

from fhirstack.model.site import Environment
from fhirstack.services import airbyte, fhir_web

_WORKLOAD = """\
# FHIR Web's workload for a cluster, rendered from the site: image, environment, files.
# `secrets` names the secret whose value a variable gets; no value of a secret is here.
"""


class _Text(str):
    """A text of several lines, written as such."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


_Dumper.add_representer(
    _Text, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
)


def files(environment: Environment) -> dict[str, str]:
    """Return the files by their names; none for what the environment does not run that way."""
    found = {
        "airbyte/values.yaml": airbyte.render_values(environment),
        "airbyte/connection.yaml": airbyte.render_connection(environment),
        "fhir-web/workload.yaml": _fhir_web(environment),
        "fhir-web/searches.json": _searches(environment),
    }
    return {name: text for name, text in found.items() if text is not None}


def _searches(environment: Environment) -> str | None:
    """Return a transaction for the FHIR server itself: what FHIR Web's searches need of it."""
    if not (environment.runs("web") and environment.fhir_web.image):
        return None
    entries = [
        {
            "resource": parameter,
            "request": {"method": "PUT", "url": f"SearchParameter/{parameter['id']}"},
        }
        for parameter in fhir_web.search_parameters()
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return json.dumps(bundle, indent=2) + "\n"


def _fhir_web(environment: Environment) -> str | None:
    workload = fhir_web.cluster_workload(environment) if environment.runs("web") else None
    if workload is None:
        return None
    data: dict[str, Any] = asdict(workload)
    data["files"] = {file.path: _Text(file.content) for file in workload.files}
    data["environment"], data["secrets"] = dict(workload.environment), dict(workload.secrets)
    data["scratch"] = list(workload.scratch)
    return _WORKLOAD + yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=1000)
