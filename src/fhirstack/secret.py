"""A secret as a type that never prints."""

from typing import Any

MASK = "***"


class Secret:
    """A value that shows as ``***`` everywhere but where ``reveal()`` is called.

    It has no ``__eq__`` to a plain string, no ``__dict__`` and does not pickle, so that it does
    not leak through logs, tracebacks, reprs, JSON or copies by accident.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the plain value: only for the one place that hands it on."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> Any:
        raise TypeError("a Secret is not serialised")
