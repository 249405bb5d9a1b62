"""Bodies of requests: what a contract writes as YAML, as the bytes that go out.

Two keys that FHIR does not have: ``{$base64: VALUE}`` is the base64 of VALUE (a text as it is,
anything else as JSON); in a list, ``{$repeat: TIMES, $of: VALUE}`` is one VALUE for each, in which
``{n}`` is the number (from 1) and ``{item}`` the item. TIMES is a number, or items with commas.
"""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from fhirstack.clients.contract import Request
from fhirstack.clients.values import filled

REPEATED = ("n", "item")
"""The placeholders that a repetition gives."""


def json_of(value: Any, values: Mapping[str, str]) -> Any:
    """Return a body as plain JSON: placeholders filled, repetitions and base64 written out.

    Raises KeyError for a placeholder without a value, ValueError for other keys with ``$``.
    """
    match value:
        case {"$base64": content, **rest} if not rest:
            return base64.b64encode(_bytes(json_of(content, values))).decode()
        case dict():
            if any(str(key).startswith("$") for key in value):
                raise ValueError(f"{', '.join(value)}: no form of $base64 or $repeat with $of")
            return {filled(key, values): json_of(item, values) for key, item in value.items()}
        case list():
            return [item for each in value for item in _items(each, values)]
    return filled(value, values)


def _items(value: Any, values: Mapping[str, str]) -> Iterator[Any]:
    match value:
        case {"$repeat": times, "$of": content, **rest} if not rest:
            times = str(filled(times, values))
            items = range(1, int(times) + 1) if times.isdigit() else times.split(",")
            for number, item in enumerate(items, 1):
                given = {"n": str(number), "item": str(item)}
                yield json_of(content, {**values, **given})
        case _:
            yield json_of(value, values)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def body_of(request: Request, values: Mapping[str, str]) -> bytes | None:
    """Return the bytes of a request's body; None where it has none."""
    if request.form is not None:
        body = urlencode(filled(request.form, values)).encode()
    elif request.json_body is not None:
        body = _bytes(json_of(request.json_body, values))
    elif request.text is not None:
        body = str(filled(request.text, values)).encode()
    else:
        return None
    return gzip.compress(body, mtime=0) if request.gzip else body
