"""The JSON Schema for editors, held against the types and the template."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from fhirstack.model.schema import site_schema
from fhirstack.model.template import SCHEMA_FILE, site_template

SCHEMA = site_schema()
_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}
_SIMPLE: dict[str, Callable[[Any, Any], bool]] = {
    "type": lambda value, wanted: isinstance(value, _TYPES[wanted]),
    "enum": lambda value, wanted: value in wanted,
    "pattern": lambda value, wanted: not isinstance(value, str) or bool(re.search(wanted, value)),
    "minimum": lambda value, wanted: value >= wanted,
    "exclusiveMinimum": lambda value, wanted: value > wanted,
    "maximum": lambda value, wanted: value <= wanted,
    "minLength": lambda value, wanted: len(value) >= wanted,
    "minItems": lambda value, wanted: len(value) >= wanted,
    "minProperties": lambda value, wanted: len(value) >= wanted,
}
_NOTES = {"$ref", "$schema", "$defs", "title", "description", "default", "examples", "format"}
_NOTES |= {"propertyNames"}


def _violations(schema: dict[str, Any], value: Any, path: str = "") -> Iterator[str]:
    """Judge a value by the keywords that the schema uses; an unknown keyword is an error."""
    if "$ref" in schema:
        yield from _violations(SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[-1]], value, path)
    for keyword, wanted in schema.items():
        if keyword in _SIMPLE:
            if not _SIMPLE[keyword](value, wanted):
                yield f"{path}: {keyword} {wanted}"
        elif keyword == "anyOf":
            if all(list(_violations(item, value, path)) for item in wanted):
                yield f"{path}: none of {wanted}"
        elif keyword == "required":
            yield from (f"{path}: no {key}" for key in wanted if key not in value)
        elif keyword == "items":
            for index, item in enumerate(value):
                yield from _violations(wanted, item, f"{path}[{index}]")
        elif keyword in {"properties", "additionalProperties"}:
            yield from _of_keys(schema, keyword, value, path)
        else:
            assert keyword in _NOTES, f"the test knows no keyword {keyword}"


def _of_keys(schema: dict[str, Any], keyword: str, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    properties = schema.get("properties", {})
    for key, item in value.items():
        if keyword == "properties" and key in properties:
            yield from _violations(properties[key], item, f"{path}.{key}")
        elif keyword == "additionalProperties" and key not in properties:
            if schema[keyword] is False:
                yield f"{path}: unknown key {key}"
            else:
                yield from _violations(schema[keyword], item, f"{path}.{key}")


def test_the_template_fits_the_schema() -> None:
    assert list(_violations(SCHEMA, yaml.safe_load(site_template()))) == []
    assert site_template().startswith(f"# yaml-language-server: $schema={SCHEMA_FILE}\n")


@pytest.mark.parametrize(
    ("site", "violation"),
    [
        ({"environments": {"staging": {}}}, ": no programme"),
        ({"programme": "x", "environments": {}}, ".environments: minProperties 1"),
        ({"programme": "x", "environments": {"a": {"domian": "x"}}}, ": unknown key domian"),
        ({"programme": "x", "environments": {"a": {"hosts": [{}]}}}, ".hosts[0]: no name"),
        (
            {"programme": "x", "environments": {"a": {"realm": {"clients": {"web": {"x": 1}}}}}},
            ".web: unknown key x",
        ),
        (
            {"programme": "x", "environments": {"a": {"tls": {"issuer": "me"}}}},
            "enum ['letsencrypt', 'provided', 'local']",
        ),
    ],
)
def test_what_does_not_fit(site: Any, violation: str) -> None:
    assert any(found.endswith(violation) for found in _violations(SCHEMA, site))


def test_defaults_and_overlays_need_not_be_complete() -> None:
    partial = {"network": {"bastion": {"user": "ops"}}, "backups": {"offsite": "s3://b"}}
    site = {"programme": "x", "defaults": partial, "environments": {"staging": partial}}
    assert list(_violations(SCHEMA, site)) == []


def test_every_key_is_described() -> None:
    missing = [
        f"{name}.{key}"
        for name, definition in SCHEMA["$defs"].items()
        for key, value in definition.get("properties", {}).items()
        if not value.get("description")
    ]
    assert missing == []


def test_an_environment_has_no_key_for_its_name() -> None:
    assert "name" not in SCHEMA["$defs"]["Environment"]["properties"]
