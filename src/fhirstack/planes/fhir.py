"""The plane ``fhir``: what the FHIR store must hold so that its clients' searches are answered."""

from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from fhirstack.errors import UnreachableError
from fhirstack.planes.plane import Action, Change

PLANE = "fhir"
_HEADERS = {"Content-Type": "application/fhir+json"}


def plan(fhir: httpx.Client, wanted: Iterable[Mapping[str, Any]]) -> list[Change]:
    """Compare resources with the store's, by what we say of them; each change writes one.

    ``fhir`` reaches the FHIR server itself. Raises UnreachableError.
    """
    found = []
    for resource in wanted:
        before = _read(fhir, resource)
        if before is None or any(before.get(key) != value for key, value in resource.items()):
            found.append(_change(fhir, resource, before))
    return found


def _change(fhir: httpx.Client, resource: Mapping[str, Any], before: Any) -> Change:
    address = _address(resource)

    def write() -> None:
        answer = fhir.put(address, json=dict(resource), headers=_HEADERS)
        if not answer.is_success:
            raise UnreachableError(
                f"{address} is refused: {answer.status_code} {answer.text[:300]}",
                where=str(fhir.base_url),
            )

    action = Action.UPDATE if before else Action.CREATE
    return Change(PLANE, address, action, reason="clients' searches need it", apply=write)


def _read(fhir: httpx.Client, resource: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        answer = fhir.get(_address(resource))
    except httpx.HTTPError as error:
        raise UnreachableError(
            f"the FHIR server does not answer: {error}", where=str(fhir.base_url)
        ) from error
    if answer.status_code in (404, 410):
        return None
    if answer.status_code != 200:
        raise UnreachableError(
            f"the FHIR server answers {answer.status_code} for {_address(resource)}",
            where=str(fhir.base_url),
        )
    content: dict[str, Any] = answer.json()
    return content


def _address(resource: Mapping[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
