"""Replays a contract against an environment: everything but the sending is interpretation."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from fhirstack.clients.answers import Page, problems
from fhirstack.clients.bodies import body_of
from fhirstack.clients.contract import As, Contract, Step, Strategy, used
from fhirstack.clients.paths import kept
from fhirstack.clients.sending import Wire, send
from fhirstack.clients.values import filled
from fhirstack.clients.withheld import Part, Withheld, parts

Tokens = Callable[[As], str]
"""Gives a good access token of a person; never asked for nobody's."""
MOST_PAGES = 200


@dataclass(frozen=True)
class Failure:
    """A step that was not answered as the client needs it."""

    step: Step
    request: str
    problem: str

    def __str__(self) -> str:
        return (
            f"{self.step.id}: {self.request} {self.problem}. Of the client: {self.step.then} "
            f"({self.step.source})"
        )


@dataclass
class Played:
    """What came of it: how many requests were sent, what failed, what was not sent and why."""

    requests: int = 0
    failures: list[Failure] = field(default_factory=list)
    unsent: dict[str, set[str]] = field(default_factory=dict)
    """By step: what the environment does not have for it."""
    refused: list[str] = field(default_factory=list)
    """The steps that had to be refused, for the site withholds what they write."""
    values: dict[str, str] = field(default_factory=dict)
    """All that was known at the end."""


def wires(
    contract: Contract, step: Step, values: Mapping[str, str], token: str = ""
) -> Iterator[tuple[Mapping[str, str], Wire]]:
    """Yield a step's requests, each with its values. Raises KeyError for a missing value."""
    rows = [dict(zip(step.each, row, strict=True)) for row in zip(*step.each.values(), strict=True)]
    for row in rows or [{}]:
        here = {**values, **filled(row, values)}
        request = step.request
        body = body_of(request, here)
        headers = {name.lower(): value for name, value in contract.headers.items()}
        if request.form is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        if request.gzip:
            headers["content-encoding"] = "gzip"
        if token:
            headers["authorization"] = f"Bearer {token}"
        headers |= {name.lower(): value for name, value in request.headers.items()}
        sent = {name: value for name, value in filled(headers, here).items() if value}
        url = filled(request.url, here)
        yield here, Wire(request.method, url, sent, body)


def play(
    contract: Contract,
    values: Mapping[str, str],
    client: httpx.Client,
    tokens: Tokens,
    strategy: Strategy = Strategy.CARE_TEAM,
    *,
    withheld: Withheld | None = None,
) -> Played:
    """Send every step of a contract in its order, and judge each answer.

    A failed step does not end it; what needs a value that a failed step should have given fails
    for that reason. ``values`` are those that the contract needs. What writes a type that is
    ``withheld`` is sent too, and must be refused; then what is left of it.
    """
    missing = sorted(set(contract.needs) - set(values))
    if missing:
        raise KeyError(f"the contract of {contract.client} needs {', '.join(missing)}")
    replay = _Replay(contract, client, tokens, Played(values=dict(values)))
    for step in contract.steps:
        wanting = used(step) & set(contract.may_have) - set(values)
        if strategy in step.strategies and wanting:
            replay.played.unsent[step.id] = wanting
        elif strategy in step.strategies:
            for part in parts(contract, step, withheld or {}):
                replay.send(part)
    return replay.played


@dataclass
class _Replay:
    """A replay on its way."""

    contract: Contract
    client: httpx.Client
    tokens: Tokens
    played: Played

    def send(self, part: Part) -> None:
        step, known = part.step, {**part.values, **self.played.values}
        shown = f"{step.request.method} {step.request.url}"
        if part.refused:
            self.played.refused.append(step.id)
        try:
            token = "" if step.acts is As.NOBODY else self.tokens(step.acts)
            for here, wire in wires(self.contract, step, known, token):
                shown = str(wire)
                pages = []
                for response in _answers(self.client, wire, step):
                    self.played.requests += 1
                    pages.append(page_of(response))
                for problem in self.judged(step, pages, here):
                    self.played.failures.append(Failure(step, shown, problem))
        except KeyError as error:
            problem = f"was not sent: an earlier step did not give {error.args[0]}"
            self.played.failures.append(Failure(step, shown, problem))
        except httpx.HTTPError as error:
            self.played.failures.append(Failure(step, shown, f"got no answer: {error!r}"))

    def judged(self, step: Step, pages: list[Page], here: Mapping[str, str]) -> Iterator[str]:
        """Yield what is wrong with the answer; of a good one keep what later steps need."""
        wrong = problems(step.answer, pages, here)
        if wrong:
            yield "; ".join(wrong[:5])
            return
        for name, path in step.keep.items():
            value = kept(pages[-1].body, filled(path, here))
            if value is None:
                yield f"answered without {path}"
            else:
                self.played.values[name] = value


def _answers(client: httpx.Client, wire: Wire, step: Step) -> Iterator[httpx.Response]:
    """Send a request and, where the step says so, follow its ``next`` links to the end."""
    for _ in range(MOST_PAGES):
        response = send(client, wire)
        yield response
        link = page_of(response).next if step.answer.pages else None
        if link is None:
            return
        wire = Wire("GET", link, wire.headers)
    raise httpx.TooManyRedirects(f"more than {MOST_PAGES} pages")


def page_of(response: httpx.Response) -> Page:
    """Return an answer as what is judged."""
    try:
        body: Any = response.json()
    except ValueError:
        body = None
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Page(response.status_code, headers, body)
