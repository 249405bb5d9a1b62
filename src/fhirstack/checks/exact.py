"""Documents compared by what is written in them: 1.10 is not 1.1, true is not 1, 1 is not "1".

A FHIR decimal's zeros tell how exactly something was measured (R4, "Precision" of decimal), and
PostgreSQL's jsonb keeps them. Python's own comparison takes all three for equal.
"""

import json
from decimal import Decimal
from typing import Any

MISSING = object()

Number = tuple[str, str]
"""The word ``number``, and the number without an exponent, as jsonb writes it."""


def read(text: str) -> Any:
    """Return a JSON document whose numbers are ``Number``."""
    return json.loads(text, parse_float=_number, parse_int=_number)


def _number(text: str) -> Number:
    number = Decimal(text)
    # There is one zero in numeric, and none below it.
    return ("number", format(abs(number) if number == 0 else number, "f"))


def first_difference(one: Any, other: Any, path: str = "") -> str:
    """Name the first place where two documents that ``read`` returned differ; empty for none.

    ``path`` is where both stand: ``Patient.name[0]``.
    """
    if one == other:
        return ""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            if (key in one) != (key in other) or one.get(key) != other.get(key):
                return first_difference(
                    one.get(key, MISSING), other.get(key, MISSING), f"{path}.{key}"
                )
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            if left != right:
                return first_difference(left, right, f"{path}[{index}]")
    return f"{path.lstrip('.')}: {_shown(one)} in the store, {_shown(other)} here"


def _shown(value: Any) -> str:
    if value is MISSING:
        return "nothing"
    return str(value[1]) if isinstance(value, tuple) else repr(value)
