"""Whose SQL a chart's query is made of: a viewer sends what somebody who explores has stored.

A browser sends each query in full, and Superset runs the SQL texts in it. What it holds back by
itself (sub-queries) leaves functions: they sleep, lock, and run statements given as text.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

_TEXTS = frozenset({"sqlExpression", "where", "having"})
_COLUMNS = frozenset({"columns", "groupby", "series_columns"})
"""Superset takes a name that is no column's for SQL."""


def texts(value: Any) -> Iterator[str]:
    """Yield what becomes SQL as it is written, at any depth of a query or of stored settings."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _TEXTS and inner:
                yield inner if isinstance(inner, str) else json.dumps(inner, default=str)
            if key in _COLUMNS:
                names = inner if isinstance(inner, (list, tuple)) else [inner]
                yield from (name for name in names if isinstance(name, str))
            yield from texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from texts(inner)


def stored(settings: Iterable[str | None]) -> set[str]:
    """Return the texts of stored settings, which are JSON or nothing."""
    return {text for one in settings if one for text in texts(json.loads(one))}


def own(queries: Iterable[dict[str, Any]], known: Iterable[str]) -> set[str]:
    """Return the texts of queries that are neither known nor known ones joined.

    The frontend puts a chart's conditions in parentheses, with AND between them.
    """
    asked = {text for query in queries for text in texts(query) if text.strip()}
    whole = {text for text in known if text.strip()}
    one = "|".join(re.escape(f"({text})") for text in sorted(whole, key=len, reverse=True))
    joined = re.compile(f"(?:{one})(?: AND (?:{one}))*") if whole else None
    return {
        text for text in asked - whole if joined is None or joined.fullmatch(text.strip()) is None
    }
