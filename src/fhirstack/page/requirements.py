"""Every sentence of the page that can be checked, and every addition to it, as an entry."""

from enum import StrEnum
from functools import cache
from typing import Literal, Self

from pydantic import Field, model_validator

from fhirstack.model.base import Model
from fhirstack.model.site import Kind, WebService
from fhirstack.model.types import format_size
from fhirstack.page.data import TOPICS, read
from fhirstack.page.sizes import machines


class Severity(StrEnum):
    """What it means when a requirement is not met."""

    MUST = "must"
    SHOULD = "should"
    INFO = "info"


class How(StrEnum):
    """By what a requirement is checked."""

    OFFLINE = "offline"
    """``check``, on the site file."""
    HOST = "host"
    """``preflight``, on the hosts."""
    LIVE = "live"
    """``verify``, on the running platform."""


CHECKED = {
    How.OFFLINE: "`check` on the site file",
    How.HOST: "`preflight` on the hosts",
    How.LIVE: "`verify` on the running platform",
}
NEEDS = {
    How.HOST: "needs the hosts: `preflight`",
    How.LIVE: "needs the running platform: `verify`",
}


class Flow(Model):
    """A connection that a firewall lets through: who opens it, who accepts it, on which ports."""

    source: str = Field(alias="from")
    destination: str = Field(alias="to")
    protocol: Literal["tcp", "udp", "icmp", "any"]
    ports: tuple[str, ...] = ()
    """Ports of the destination, single (``443``) or a range (``30000-32767``); none: all."""


class ClientFlag(Model):
    """The value that the page gives to one flag of an OAuth2 client."""

    name: Literal["android", "web", "pipelines"]
    flag: str
    value: bool


class Requirement(Model):
    """One thing that a partner provides or that the platform keeps, and where it comes from."""

    id: str = Field(pattern=r"^[a-z-]+(\.[a-z0-9-]+)+$")
    topic: str
    provide: str
    """What there has to be."""
    by: Literal["partner", "platform"] = "partner"
    """Who provides it: the partner, or the platform by itself."""
    sentence: str | None = None
    """Word for word from the page; None where the page says nothing at all."""
    severity: Severity
    how: tuple[How, ...] = Field(min_length=1)
    kinds: tuple[Kind, ...] = Field(
        default=(Kind.STAGING, Kind.PREVIEW, Kind.PRODUCTION), alias="for"
    )
    scope: Literal["environment", "site"] = "environment"
    addition: bool = False
    """Whether it fills a gap of the page, or settles a contradiction in it."""
    reason: str | None = None
    flows: tuple[Flow, ...] = ()
    client: ClientFlag | None = None
    service: WebService | None = None

    @model_validator(mode="after")
    def _explained(self) -> Self:
        if self.addition != bool(self.reason):
            raise ValueError(f"{self.id}: an addition, and nothing else, has a reason")
        if not self.addition and not self.sentence:
            raise ValueError(f"{self.id}: what is no addition comes from a sentence of the page")
        return self

    @property
    def offline(self) -> bool:
        """Whether the site file alone shows if it is met."""
        return How.OFFLINE in self.how

    @property
    def checked(self) -> str:
        """How it is checked, for people."""
        return ", ".join(CHECKED[how] for how in self.how)


@cache
def requirements() -> tuple[Requirement, ...]:
    """Return all requirements in the order of the page's topics."""
    found: list[Requirement] = []
    for topic in TOPICS:
        content = read(topic)
        title = content["topic"]
        found += [Requirement(topic=title, **entry) for entry in content["requirements"]]
        if topic == "machines":
            found += _of_machines(title)
    return tuple(found)


@cache
def requirement(identifier: str) -> Requirement:
    """Return one requirement. Raises KeyError for an unknown id."""
    for entry in requirements():
        if entry.id == identifier:
            return entry
    raise KeyError(identifier)


def _of_machines(topic: str) -> list[Requirement]:
    """Return how many machines of each role, and how large: four entries for each row."""
    return [
        Requirement(
            id=f"host.{row.role}.{value}",
            topic=topic,
            sentence=row.sentences[value],
            provide=text,
            severity=Severity.MUST,
            how=(How.OFFLINE,) if value == "count" else (How.OFFLINE, How.HOST),
        )
        for row in machines()
        for value, text in (
            ("count", f"{row.count} machine{'s' if row.count > 1 else ''} of the role {row.role}."),
            ("cpu", f"{row.cpu} CPU cores in each {row.role} host."),
            ("memory", f"{format_size(row.memory)} of memory in each {row.role} host."),
            ("disk", f"{format_size(row.disk)} of disk in each {row.role} host."),
        )
    ]
