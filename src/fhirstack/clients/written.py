"""Which records a contract writes, so that whoever replays it can take them away again."""

from collections.abc import Iterator, Mapping
from typing import Any

from fhirstack.clients.bodies import json_of
from fhirstack.clients.contract import Contract
from fhirstack.clients.paths import found
from fhirstack.clients.values import names


def written(contract: Contract, values: Mapping[str, str]) -> Iterator[str]:
    """Yield ``Type/id`` of each record that a PUT of the contract makes, alone or in a bundle.

    ``values`` are those that the contract needs. What only answers give (versions of records) does
    not matter here.
    """
    for step in contract.steps:
        body = step.request.json_body
        known = {**dict.fromkeys(names(body), ""), **values}
        content: Any = json_of(body, known)
        if step.request.method == "PUT":
            yield f"{content['resourceType']}/{content['id']}"
        for entry in found(content, "entry[request.method=PUT].request.url"):
            yield str(entry)
