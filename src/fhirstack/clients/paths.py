"""Paths into JSON: ``entry[0].resource.id``, ``link[relation=next].url``, ``entry[].fullUrl``.

A path leads to every value that it names. ``[n]`` is an index (``[-1]`` the last), ``[]`` all
items, ``[key=value]`` those items whose key (a path of its own without brackets) has that text.
"""

import re
from collections.abc import Iterator
from typing import Any

_STEP = re.compile(r"([^.\[\]]+)|\[([^\]]*)\]")


def found(value: Any, path: str) -> list[Any]:
    """Return all values to which ``path`` leads; none where a part of it is missing."""
    at = [value]
    for match in _STEP.finditer(path):
        key, bracket = match.groups()
        at = [
            item for here in at for item in (_by_key(here, key) if key else _items(here, bracket))
        ]
    return at


def _by_key(value: Any, key: str) -> Iterator[Any]:
    if isinstance(value, dict) and key in value:
        yield value[key]


def _items(value: Any, bracket: str) -> Iterator[Any]:
    if not isinstance(value, list):
        return
    if re.fullmatch(r"-?\d+", bracket):
        if -len(value) <= int(bracket) < len(value):
            yield value[int(bracket)]
        return
    key, _, wanted = bracket.partition("=")
    yield from (item for item in value if not bracket or wanted in map(text, found(item, key)))


def kept(value: Any, path: str) -> str | None:
    """Return the text of the first value at ``path``; None without one.

    ``path ~ pattern`` takes the first group of a pattern that is found in it.
    """
    path, _, pattern = path.partition(" ~ ")
    values = found(value, path)
    if not values or not pattern:
        return text(values[0]) if values else None
    match = re.search(pattern, text(values[0]))
    return match[1] if match else None


def text(value: Any) -> str:
    """Return a JSON value as the text that patterns and placeholders see."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
    return str(value)
