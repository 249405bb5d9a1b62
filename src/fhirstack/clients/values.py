"""Placeholders: ``{name}`` in any text of a step stands for a value."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""Other braces (JSON, FHIRPath) are themselves."""


def filled(value: Any, values: Mapping[str, str]) -> Any:
    """Return a copy of ``value`` with all placeholders in texts and keys filled.

    Raises KeyError with the name of a placeholder for which there is no value.
    """
    match value:
        case str():
            return _PLACEHOLDER.sub(lambda found: values[found[1]], value)
        case dict():
            return {filled(key, values): filled(item, values) for key, item in value.items()}
        case list() | tuple():
            return [filled(item, values) for item in value]
    return value


def names(value: Any) -> Iterator[str]:
    """Yield the names of the placeholders in a value."""
    match value:
        case str():
            yield from _PLACEHOLDER.findall(value)
        case dict():
            for key, item in value.items():
                yield from names(key)
                yield from names(item)
        case list() | tuple():
            for item in value:
                yield from names(item)
