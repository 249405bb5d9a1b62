"""Comparing what is declared with what is there: declared fields only."""

from collections.abc import Mapping
from typing import Any


def differences(declared: Mapping[str, Any], observed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the declared fields that differ, each with the declared value.

    Nested mappings are compared field by field too. Lists of plain values are sets: Keycloak
    keeps no order of redirect URIs, scopes or roles.
    """
    found: dict[str, Any] = {}
    for key, value in declared.items():
        other = observed.get(key)
        if isinstance(value, Mapping):
            inner = differences(value, other if isinstance(other, Mapping) else {})
            if inner:
                found[key] = inner
        elif _plain(value) != _plain(other):
            found[key] = value
    return found


def pick(observed: Mapping[str, Any], shape: Mapping[str, Any]) -> dict[str, Any]:
    """Return the observed values at the fields of ``shape``, for showing what was before."""
    return {
        key: pick(observed.get(key) or {}, value)
        if isinstance(value, Mapping)
        else observed.get(key)
        for key, value in shape.items()
    }


def merged(observed: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``observed`` with the declared fields put over it, nested mappings merged."""
    result = dict(observed)
    for key, value in declared.items():
        inner = result.get(key)
        if isinstance(value, Mapping):
            result[key] = merged(inner if isinstance(inner, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return sorted(value)
    return value
