"""Judges what came back. Pure: from an answer's pages to what is wrong with them."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fhirstack.clients.contract import Answer
from fhirstack.clients.paths import found, text
from fhirstack.clients.values import filled

NEXT = "link[relation=next].url"


@dataclass(frozen=True)
class Page:
    """One answer: its status, its headers (names in small letters), its body as JSON."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    """None where it is not JSON."""

    @property
    def next(self) -> str | None:
        """Where its ``next`` link leads."""
        links = found(self.body, NEXT)
        return str(links[0]) if links else None


def problems(wanted: Answer, pages: list[Page], values: Mapping[str, str]) -> list[str]:
    """Return what is not as the client needs it; nothing: all is well."""
    statuses = [filled(str(status), values) for status in wanted.status]
    for page in pages:
        if str(page.status) not in statuses:
            allowed = " or ".join(statuses)
            return [f"answered {page.status}, not {allowed}{reason(page.body)}"]
    return [
        *(problem for page in pages for problem in _each(wanted, page, values)),
        *_together(wanted, [page.body for page in pages], values),
    ]


def _each(wanted: Answer, page: Page, values: Mapping[str, str]) -> Iterable[str]:
    quoted = {name: re.escape(value) for name, value in values.items()}
    body = page.body if isinstance(page.body, dict) else {}
    if wanted.resource and body.get("resourceType") != wanted.resource:
        yield f"is {body.get('resourceType') or 'no resource'}, not {wanted.resource}"
    if wanted.bundle and body.get("type") != wanted.bundle:
        yield f"is a bundle of type {body.get('type')}, not {wanted.bundle}"
    for written, pattern in wanted.values.items():
        path, expected = filled(written, values), filled(pattern, quoted)
        seen = [text(value) for value in found(page.body, path)]
        wrong = [value for value in seen if not re.fullmatch(expected, value, re.DOTALL)]
        if not seen:
            yield f"has no {path}, which must be {expected}"
        elif wrong:
            yield f"{path} is {wrong[0][:120]}, not {expected}"
    for path in filled(wanted.absent, values):
        if found(page.body, path):
            yield f"has {path}"
    for name, pattern in wanted.headers.items():
        expected, value = filled(pattern, quoted), page.headers.get(name.lower())
        if value is None or not re.fullmatch(expected, value):
            yield f"its header {name} is {value}, not {expected}"


def _together(wanted: Answer, bodies: list[Any], values: Mapping[str, str]) -> Iterable[str]:
    resources = [item for body in bodies for item in found(body, "entry[].resource")]
    names = Counter(f"{item.get('resourceType')}/{item.get('id')}" for item in resources)
    for name in filled(wanted.has, values):
        if name not in names:
            yield f"{name} is missing"
    for name in filled(wanted.lacks, values):
        if name in names:
            yield f"{name} is there, and must not be"
    if wanted.only is not None:
        types = {str(item.get("resourceType")) for item in resources}
        for unwanted in sorted(types - set(filled(wanted.only, values))):
            yield f"holds {unwanted}"
    count = sum(len(found(body, "entry[]")) for body in bodies)
    expected = None if wanted.entries is None else filled(str(wanted.entries), values)
    if expected is not None and expected != str(count):
        yield f"has {count} entries, not {expected}"
    if wanted.pages:
        if len(bodies) < wanted.pages:
            yield f"came in {len(bodies)} pages, not {wanted.pages} or more"
        twice = [name for name, times in names.items() if times > 1]
        if twice:
            yield f"{twice[0]} came twice"


def reason(body: Any) -> str:
    """Return what an answer says of itself, in brackets; nothing where it says nothing."""
    said = found(body, "issue[].diagnostics") or found(body, "error_description")
    return f" ({'; '.join(map(text, said))[:200]})" if said else ""
