"""Pydantic's errors, said so that one can act on them: what is wrong and what to write."""

from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from fhirstack.errors import FhirstackError
from fhirstack.model.nodes import Key, Node, Place, show_path
from fhirstack.model.site import Environment, Model

_WRITE = {
    "int": ("a whole number", "a whole number, such as 4,"),
    "float": ("a number", "a number, such as 20,"),
    "bool": ("true or false", "true or false"),
    "string": ("text", 'text in quotes, such as "OpenSRP",'),
    "ip_v4_address": ("an IP address", "an IP address, such as 10.10.0.31,"),
    "ip_v4_network": ("a network", "an address and a prefix length, such as 10.10.0.0/24,"),
    "tuple": ("a list", "a list, such as [a, b],"),
    "dict": ("a section of keys and values", "keys and values, indented below,"),
    "model": ("a section of keys and values", "keys and values, indented below,"),
}
"""By the first part of pydantic's error type: what was expected, and what to write."""

_LIMITS = {
    "form": ("is not {kind}", "{write},"),
    "greater_than_equal": ("is too small", "{ge} or more"),
    "greater_than": ("is too small", "more than {gt:g}"),
    "less_than_equal": ("is too large", "{le} or less"),
    "too_short": ("is empty", "at least one entry"),
    "string_too_short": ("is empty", "text"),
}
"""By pydantic's error type, with the words of its context."""


def at(file: str, place: Place, what: str, remedy: str) -> FhirstackError:
    """Return an error at a place of the file."""
    return FhirstackError(what, where=f"{file}:{place.line}:{place.column}", remedy=remedy)


def explain(error: ErrorDetails, root: Node, file: str) -> FhirstackError:
    """Return pydantic's ``error`` on the environment ``root`` with its place and remedy."""
    location = error["loc"]
    node, known = _deepest(root, location)
    kind = error["type"]
    if kind == "extra_forbidden":
        return unknown_key(file, node, known_keys(_annotation(known[:-1])))
    if kind == "missing":
        return _missing(file, node, str(location[-1]), _field((*known, location[-1])))
    if location[-1] == "[key]":
        valid = _values(next(iter(get_args(_annotation(known[:-1]))), None))
        return unknown_key(file, node, valid)
    what, write = _problem(error, _annotation(known))
    return at(file, node.place, f"{show_path(node.path)}: {show(node)} {what}", write)


def show(node: Node) -> str:
    """Write a value for an error message: short, in quotes if it is text."""
    match node.value:
        case dict():
            return "a section"
        case list():
            return "a list"
        case None:
            return "nothing"
        case bool() as value:
            return str(value).lower()
        case value:
            return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}…"'


def unknown_key(file: str, node: Node, valid: list[str]) -> FhirstackError:
    """Return the error for a key that nothing knows, with the nearest one that is known."""
    key = str(node.path[-1])
    near = get_close_matches(key, valid, n=1)
    names = ", ".join(sorted(valid))
    remedy = f"write `{near[0]}` instead; " if near else "remove it; "
    return at(
        file, node.key, f"{show_path(node.path)}: unknown key", f"{remedy}valid keys: {names}"
    )


def known_keys(annotation: Any) -> list[str]:
    """Return the keys of a section of the site file."""
    model = _model(annotation)
    return [key for key in model.model_fields if (model, key) != (Environment, "name")]


def _missing(file: str, node: Node, key: str, field: FieldInfo | None) -> FhirstackError:
    example = (field.examples or ["…"])[0] if field else "…"
    hint = f" ({field.description})" if field and field.description else ""
    return at(
        file,
        node.key,
        f"{show_path(node.path)}: `{key}` is missing{hint}",
        f"write it, such as `{key}: {example}`",
    )


def _problem(error: ErrorDetails, annotation: Any) -> tuple[str, str]:
    """Return what is wrong with a value, and what to write."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in {"enum", "literal_error"}:
        return _choice(str(error["input"]), _values(annotation))
    if kind in _LIMITS:
        what, write = _LIMITS[kind]
        return what.format(**context), f"write {write.format(**context)} instead"
    for prefix, (expected, write) in _WRITE.items():
        if kind.startswith((prefix, prefix.replace("v4", "v6"))):
            return f"is not {expected}", f"write {write} instead"
    return f"is not valid: {error['msg']}", ""


def _choice(value: str, valid: list[str]) -> tuple[str, str]:
    near = get_close_matches(value, valid, n=1)
    names = ", ".join(valid)
    if near:
        return "is not one of the choices", f"write {near[0]} instead; there are: {names}"
    return "is not one of the choices", f"write one of these instead: {names}"


def _deepest(root: Node, location: tuple[Key, ...]) -> tuple[Node, tuple[Key, ...]]:
    """Follow a location of pydantic's as far as the file goes."""
    node, known = root, tuple[Key, ...]()
    for key in location:
        below = node.get(key)
        if below is None:
            break
        node, known = below, (*known, key)
    return node, known


def _strip(annotation: Any) -> Any:
    """Return the annotation without Annotated and without None."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
            continue
        if get_origin(annotation) in (Union, UnionType):
            arguments = [item for item in get_args(annotation) if item is not type(None)]
            if len(arguments) == 1:
                annotation = arguments[0]
                continue
        return annotation


def _annotation(location: tuple[Key, ...]) -> Any:
    """Return the type at a location below an environment."""
    annotation: Any = Environment
    for key in location:
        annotation = _strip(annotation)
        if isinstance(key, int):
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        else:
            annotation = _model(annotation).model_fields[key].annotation
    return _strip(annotation)


def _model(annotation: Any) -> type[Model]:
    annotation = _strip(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    raise TypeError(f"{annotation} is not a section of the site file")


def _field(location: tuple[Key, ...]) -> FieldInfo | None:
    return _model(_annotation(location[:-1])).model_fields.get(str(location[-1]))


def _values(annotation: Any) -> list[str]:
    """Return the choices of an enumeration or a Literal."""
    annotation = _strip(annotation)
    return [str(item) for item in get_args(annotation) or list(annotation)]
