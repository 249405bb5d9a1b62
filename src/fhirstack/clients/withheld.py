"""What of a step a site does not let its sender write: refused as a whole, then the rest of it.

A site chooses which types people write. Whoever sends more is refused, and an application that
makes none of these records sends what is left. Pure: from a step to what is sent of it.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fhirstack.clients.contract import As, Contract, Step, used

Withheld = Mapping[As, Collection[str]]
"""By who sends: the types that the site does not let them write."""
WRITES = ("POST", "PUT", "PATCH", "DELETE")
_PLACE = re.compile(r"entry\[(\d+)\]")
_OF_A_TYPE = re.compile(r"\{fhir\}/([A-Z][A-Za-z]+)(?:/|$)")


@dataclass(frozen=True)
class Part:
    """A step as it is sent, with values that it has in place of those that are missing."""

    step: Step
    values: Mapping[str, str] = field(default_factory=dict)
    refused: bool = False
    """Whether it must be refused."""


def parts(contract: Contract, step: Step, withheld: Withheld) -> Iterator[Part]:
    """Yield what is sent of a step: itself, unless the site withholds what it writes or reads.

    Raises ValueError where the contract does not say what a refusal looks like.
    """
    names = withheld.get(step.acts, ())
    refused = [name for name in written(step) if name in names]
    if refused:
        if contract.withheld is None:
            raise ValueError(f"the contract of {contract.client} has no `withheld`")
        # Who may write no such thing has no version of it either.
        values = {**dict.fromkeys(used(step), "1"), "withheld": refused[0].upper()}
        asked = step.model_copy(update={"answer": contract.withheld, "keep": {}})
        yield Part(asked, values, refused=True)
        rest = _rest(step, names)
        if rest is not None:
            yield Part(rest)
    elif step.without is not None and _nobody_wrote(step, withheld):
        yield Part(step.model_copy(update={"answer": step.without, "keep": {}}))
    else:
        yield Part(step)


def written(step: Step) -> list[str]:
    """Return the types that a step's request writes, in its order; none for one that reads."""
    entries = _entries(step.request.json_body)
    if entries:
        return [name for entry in entries if (name := _type(entry))]
    match = _OF_A_TYPE.match(step.request.url) if step.request.method in WRITES else None
    return [match[1]] if match else []


def _nobody_wrote(step: Step, withheld: Withheld) -> bool:
    return any(name in names for names in withheld.values() for name in step.reads)


def _entries(body: Any) -> list[Any]:
    """Return the entries of a bundle of requests; none of anything else."""
    is_requests = isinstance(body, dict) and body.get("type") in ("batch", "transaction")
    return list(body["entry"]) if is_requests else []


def _type(entry: Any) -> str:
    request = entry.get("$of", entry)["request"]
    target = re.split(r"[/?]", request["url"])[0]
    return str(target) if request["method"] in WRITES else ""


def _rest(step: Step, names: Collection[str]) -> Step | None:
    """Return a step without the entries that are refused; None where nothing is left."""
    body = step.request.json_body
    entries = _entries(body)
    left = [place for place, entry in enumerate(entries) if _type(entry) not in names]
    if not left:
        return None
    content = {**body, "entry": [entries[place] for place in left]}
    values = {path: step.answer.values[old] for old, path in _moved(step.answer.values, left)}
    answer = step.answer.model_copy(update={"values": values})
    if isinstance(answer.entries, int):
        answer = answer.model_copy(update={"entries": len(left)})
    return step.model_copy(
        update={
            "request": step.request.model_copy(update={"json_body": content}),
            "answer": answer,
            "keep": {
                name: path for name, old in step.keep.items() for _, path in _moved([old], left)
            },
        }
    )


def _moved(paths: Iterable[str], left: list[int]) -> Iterator[tuple[str, str]]:
    """Yield the paths that still lead somewhere, each with the one to the same entry now."""
    for path in paths:
        match = _PLACE.match(path)
        if match is None:
            yield path, path
        elif int(match[1]) in left:
            yield path, f"entry[{left.index(int(match[1]))}]{path[match.end() :]}"
