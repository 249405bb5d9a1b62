"""Records that checks put straight into the FHIR server, past the gateway, and take out again."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from fhirstack.checks.session import Session
from fhirstack.errors import UnreachableError

Resource = dict[str, Any]

_AT_ONCE = 60
"""Ids in one search, whose address may have 8 KB."""


def put(session: Session, resources: Iterable[Resource]) -> None:
    """Write records in one transaction."""
    entries = []
    for resource in resources:
        url = f"{resource['resourceType']}/{resource['id']}"
        entries.append({"resource": resource, "request": {"method": "PUT", "url": url}})
    _send(session, "transaction", entries)


def remove(session: Session, names: Iterable[str]) -> None:
    """Delete those of these records (``Type/id``) that are there.

    One by one: a transaction that deletes a record before one that refers to it is refused by HAPI
    (HAPI-0826), and records may refer to each other.
    """
    there = [name for names in _by_type(names) for name in _there(session, *names)]
    if there:
        _send(session, "batch", [{"request": {"method": "DELETE", "url": name}} for name in there])


def _by_type(names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    types: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        kind, _, identifier = name.partition("/")
        types[kind].append(identifier)
    for kind, ids in types.items():
        for start in range(0, len(ids), _AT_ONCE):
            yield kind, ids[start : start + _AT_ONCE]


def _there(session: Session, kind: str, ids: list[str]) -> Iterator[str]:
    # Asked before, a minute ago at most, it may answer as it did then: nothing was there.
    response = session.backend.get(
        f"/{kind}",
        params={"_id": ",".join(ids), "_elements": "id", "_count": str(_AT_ONCE)},
        headers={"Cache-Control": "no-cache"},
    )
    response.raise_for_status()
    for entry in response.json().get("entry", []):
        yield f"{kind}/{entry['resource']['id']}"


def _send(session: Session, kind: str, entries: list[Resource]) -> None:
    response = session.backend.post(
        "",
        json={"resourceType": "Bundle", "type": kind, "entry": entries},
        headers={"Content-Type": "application/fhir+json"},
    )
    answers: list[Resource] = response.json().get("entry", []) if response.is_success else []
    refused = [a for a in answers if not str(a["response"]["status"]).startswith("2")]
    if not response.is_success or refused:
        said = json.dumps(refused[0]) if refused else response.text
        raise UnreachableError(
            f"the records of the checks are refused: {response.status_code} {said[:300]}"
        )
