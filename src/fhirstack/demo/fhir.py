"""The few FHIR R4 shapes that the demo data is made of."""

import uuid
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

Resource = dict[str, Any]
Bundle = dict[str, Any]

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many are done, and how many there are if that is known."""

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://smartregister.org/demo")


class Named(NamedTuple):
    """A resource to refer to: its type, id and what people call it."""

    type: str
    id: str
    name: str

    @property
    def reference(self) -> Resource:
        """A FHIR Reference with display."""
        return {"reference": f"{self.type}/{self.id}", "display": self.name}


def silent(what: str, done: int, total: int | None) -> None:
    """Take progress and show nothing."""


def stable_id(*parts: object) -> str:
    """Return a UUID that depends on nothing but ``parts``."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(str(part) for part in parts)))


def coding(system: str, code: str, display: str) -> Resource:
    """Return a Coding."""
    return {"system": system, "code": code, "display": display}


def concept(*codings: Resource) -> Resource:
    """Return a CodeableConcept."""
    return {"coding": list(codings)}


def identifiers(official: str, secondary: str | None = None) -> list[Resource]:
    """Return identifiers as OpenSRP writes them: ``official`` repeats the resource's id.

    The gateway plugin looks participants of a care team up by ``Practitioner?identifier=<id>``
    (onaio/fhir-gateway-extension, PractitionerDetailsEndpointHelper), so the two must be equal.
    """
    result: list[Resource] = [{"use": "official", "value": official}]
    if secondary is not None:
        result.append({"use": "secondary", "value": secondary})
    return result


def address_of(resource: Resource) -> str:
    """Return ``Type/id``."""
    return f"{resource['resourceType']}/{resource['id']}"


def transaction(resources: Iterable[Resource], *, name: str = "") -> Bundle:
    """Return a transaction that puts each resource at its own id, so that it can be repeated.

    ``name`` becomes the bundle's id; a server ignores it, error messages show it.
    """
    bundle: Bundle = {"resourceType": "Bundle", "type": "transaction"}
    if name:
        bundle["id"] = name
    bundle["entry"] = [
        {
            "fullUrl": address_of(resource),
            "resource": resource,
            "request": {"method": "PUT", "url": address_of(resource)},
        }
        for resource in resources
    ]
    return bundle


def references(value: object) -> Iterable[str]:
    """Yield every ``reference`` inside a resource."""
    if isinstance(value, dict):
        for key, child in value.items():
            if key == "reference" and isinstance(child, str):
                yield child
            else:
                yield from references(child)
    elif isinstance(value, list):
        for child in value:
            yield from references(child)
