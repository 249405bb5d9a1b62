"""Reads the contracts, which are files of this package."""

import re
from collections.abc import Hashable
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from pydantic import ValidationError

from fhirstack.clients.bodies import REPEATED, json_of
from fhirstack.clients.contract import Answer, Contract, Step, used
from fhirstack.clients.values import filled, names
from fhirstack.errors import FhirstackError


@cache
def contract(name: str) -> Contract:
    """Return one client's contract, ``android`` or ``fhir-web``."""
    file = files(__package__).joinpath(f"{name}.yaml")
    return parse(file.read_text(encoding="utf-8"), f"{name}.yaml")


def parse(text: str, file: str) -> Contract:
    """Return a contract from its text. Raises FhirstackError that names the step and the fault."""
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
        found = Contract.model_validate(content)
    except yaml.YAMLError as error:
        raise FhirstackError(f"not YAML: {error}", where=file) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = f"{file}: {_place(content, first['loc'])}"
        raise FhirstackError(first["msg"], where=where, remedy="docs/clients.md") from None
    _judge(found, file)
    return found


class _Loader(yaml.SafeLoader):
    """YAML as FHIR needs it: dates are texts, and a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if key.value != "<<"]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            problem = f"the key {min(twice)} stands twice"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in known if not tag.endswith(":timestamp")]
    for letter, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _place(content: Any, location: tuple[int | str, ...]) -> str:
    """Return where in the file an error is, with the step's id for its number."""
    words = [str(word) for word in location]
    if len(words) > 1 and words[0] == "steps":
        step = content["steps"][int(words[1])]
        if isinstance(step, dict) and "id" in step:
            words[:2] = [f"step {step['id']}"]
    return ".".join(words)


def _judge(found: Contract, file: str) -> None:
    """Refuse what the types do not see: ids twice, placeholders and programs without origin."""
    if found.withheld is not None:
        _compile(_of_answer(found.withheld), f"{file}: withheld")
    known = set(found.needs) | set(found.may_have)
    seen: set[str] = set()
    for step in found.steps:
        where = f"{file}: step {step.id}"
        if step.id in seen:
            raise FhirstackError("another step has this id", where=where)
        seen.add(step.id)
        unknown = used(step) - known - set(step.each) - set(REPEATED)
        if unknown:
            raise FhirstackError(
                f"no value for {{{min(unknown)}}}",
                where=where,
                remedy="name it in `needs`, or `keep` it in an earlier step",
            )
        try:
            json_of(step.request.json_body, dict.fromkeys(used(step), "1"))
        except ValueError as error:
            raise FhirstackError(str(error), where=where, remedy="docs/clients.md") from None
        _compile(_patterns(step), where)
        for source in step.source.split(","):
            program, _, path = source.strip().partition(":")
            if program not in found.programs or not path:
                raise FhirstackError(f"{source.strip()} is no program:path", where=where)
        known |= set(step.keep)


def _compile(patterns: list[str], where: str) -> None:
    for pattern in patterns:
        try:
            re.compile(filled(pattern, dict.fromkeys(names(pattern), "1")))
        except re.error as error:
            raise FhirstackError(f"{pattern}: {error}", where=where) from None


def _patterns(step: Step) -> list[str]:
    kept = [path.partition(" ~ ")[2] for path in step.keep.values()]
    without = _of_answer(step.without) if step.without is not None else []
    return [*_of_answer(step.answer), *without, *kept]


def _of_answer(answer: Answer) -> list[str]:
    return [*answer.values.values(), *answer.headers.values()]
