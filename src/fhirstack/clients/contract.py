"""The types of a client contract: the requests of one version of one program, in its order.

A contract says what a client sends, as it sends it, and what it needs back, each with the place
in the client's own source. It knows nothing of fhirstack: what an environment gives (addresses,
ids, people) are placeholders, ``{name}``. ``docs/clients.md`` describes the format for people.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from fhirstack.clients.values import names
from fhirstack.model.base import Model

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:[.-][a-z0-9]+)*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class As(StrEnum):
    """Whose token a request carries."""

    NOBODY = "nobody"
    """None: the contract's own headers stand alone."""
    WORKER = "worker"
    """A health worker of the app, with a team, a place and records of their own."""
    COLLEAGUE = "colleague"
    """A health worker of another team."""
    WEB = "web"
    """A user of FHIR Web who reads."""
    ADMINISTRATOR = "administrator"
    """A user of FHIR Web who administers."""


class Strategy(StrEnum):
    """How an application decides which records a health worker synchronises."""

    CARE_TEAM = "CareTeam"
    ORGANIZATION = "Organization"
    LOCATION = "Location"
    RELATED = "RelatedEntityLocation"


class Program(Model):
    """A published program, and the version from which facts are taken."""

    name: Text
    repository: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
    version: Text
    """The tag or commit that was read."""


class Request(Model):
    """One request, as it goes out."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] = "GET"
    url: Text
    """Base, path and query in the client's own spelling: nothing is encoded or put in order."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Beside those of the contract; an empty value takes one of those away."""
    form: dict[str, str] | None = None
    """Fields of a form, encoded as browsers and OkHttp do."""
    json_body: Any = Field(default=None, alias="json")
    """A JSON body. See `fhirstack.clients.bodies` for ``$base64`` and ``$repeat``."""
    text: str | None = None
    gzip: bool = False
    """Compressed, with ``Content-Encoding: gzip``."""

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        given = [b for b in (self.form, self.json_body, self.text) if b is not None]
        if len(given) > 1:
            raise ValueError("write one of form, json and text")
        if self.gzip and not given:
            raise ValueError("gzip needs a body")
        return self


class Answer(Model):
    """What must come back. Everything that is written must hold; nothing else is looked at."""

    status: tuple[int | Text, ...] = (200,)
    """One of these; a text is one with a placeholder."""
    resource: str | None = None
    """The ``resourceType``."""
    bundle: str | None = None
    """The bundle's ``type``."""
    only: tuple[str, ...] | None = None
    """Every entry is of one of these types; ``()``: there is no entry."""
    has: tuple[str, ...] = ()
    """Entries that are there, as ``Type/id``."""
    lacks: tuple[str, ...] = ()
    """Entries that are not there."""
    entries: int | Text | None = None
    """The number of entries; a text is one with a placeholder."""
    values: dict[str, str] = Field(default_factory=dict)
    """By path (`fhirstack.clients.paths`): a pattern that each value there matches whole."""
    absent: tuple[str, ...] = ()
    """Paths that lead nowhere."""
    headers: dict[str, str] = Field(default_factory=dict)
    """By name: a pattern that the header matches whole."""
    pages: int | None = Field(default=None, ge=1)
    """At least this many pages, each reached by the ``next`` link of the one before. ``has``,
    ``lacks``, ``only`` and ``entries`` are of all pages together, and no entry comes twice."""


class Step(Model):
    """One request of the client: why, as whom, what it needs back, and where that is written."""

    id: Id
    does: Text
    """What the person or the app does at this moment."""
    acts: As = Field(alias="as")
    request: Request
    each: dict[Name, tuple[str, ...]] = Field(default_factory=dict)
    """Sent once for each of these values, which are placeholders of this step. Several names go
    side by side, the first with the first."""
    strategies: tuple[Strategy, ...] = tuple(Strategy)
    """Under which sync strategies the client sends it."""
    answer: Answer = Answer()
    reads: tuple[str, ...] = ()
    """The types of what earlier steps wrote and this one reads."""
    without: Answer | None = None
    """What must come back where the site withholds one of these types, so that nobody wrote it."""
    keep: dict[Name, str] = Field(default_factory=dict)
    """By placeholder: the path in the answer whose first value later steps use, or, with
    ``path ~ pattern``, the first group of a pattern in it."""
    then: Text
    """What the client does with the answer, and what happens to its user without it."""
    source: Text
    """``program:path`` of the file in that program's repository, more than one after a comma."""

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        lengths = {len(values) for values in self.each.values()}
        if len(lengths) > 1:
            raise ValueError("the lists of `each` have different lengths")
        if 0 in lengths:
            raise ValueError("the lists of `each` are empty")
        return self

    @model_validator(mode="after")
    def _both(self) -> Self:
        if bool(self.reads) != bool(self.without):
            raise ValueError("`reads` and `without` go together")
        return self


class Contract(Model):
    """One client's contract."""

    client: Text
    """What it is called in evidence: ``OpenSRP 2.2.2``."""
    programs: dict[Name, Program]
    needs: dict[Name, Text]
    """The placeholders that an environment gives, and what each is."""
    may_have: dict[Name, Text] = Field(default_factory=dict)
    """Those that it may lack: then the steps that use them are not sent."""
    shapes: dict[str, Any] = Field(default_factory=dict)
    """Pieces of bodies that steps use by YAML's aliases."""
    headers: dict[str, str] = Field(default_factory=dict)
    """What each request carries."""
    withheld: Answer | None = None
    """What comes back to who writes a type that the site lets them not write: ``{withheld}`` is its
    name in capitals."""
    steps: tuple[Step, ...] = Field(min_length=1)


def used(step: Step) -> set[str]:
    """Return the names of all placeholders of a step."""
    request = step.request
    texts: list[Any] = [
        request.url, request.headers, request.form, request.json_body, request.text,
        list(step.keep.values()), [list(items) for items in step.each.values()],
    ]  # fmt: skip
    for answer in (step.answer, step.without):
        if answer is not None:
            texts += _texts(answer)
    return set(names(texts))


def _texts(answer: Answer) -> list[Any]:
    return [
        list(answer.status), list(answer.has), list(answer.lacks), list(answer.only or ()),
        list(answer.absent), answer.entries, answer.values, answer.headers,
    ]  # fmt: skip
