"""The page's table of machines, read from the page's own sentences.

The template of a site, the checks and the partner's document all take their numbers from here.
"""

import re
from functools import cache

from fhirstack.model.base import Model
from fhirstack.model.host import Role
from fhirstack.model.types import parse_size
from fhirstack.page.data import read

_SIZE = re.compile(r"\d+ ?[MGT]B")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Machine(Model):
    """One row of the table: how many machines of a role, and how large each is."""

    role: Role
    count: int
    cpu: int
    memory: int
    """Bytes."""
    disk: int
    """Bytes."""
    external_storage: int | None
    """Bytes, attached to the NFS server."""
    sentences: dict[str, str]
    """The page's words for each of the values."""


class Totals(Model):
    """What one environment takes in all: cores, and sizes in bytes."""

    machines: int
    cpu: int
    memory: int
    disk: int
    external_storage: int


class Link(Model):
    """The least speed of the internet connection, in Mb/s."""

    upstream: float
    downstream: float


@cache
def machines() -> tuple[Machine, ...]:
    """Return the table of machines in the page's order."""
    return tuple(_machine(row) for row in read("machines")["machines"])


@cache
def machine(role: Role) -> Machine:
    """Return the row of one role."""
    return next(row for row in machines() if row.role is role)


@cache
def totals() -> Totals:
    """Return the sums over the table: 11 machines, 60 cores, 180 GB, 6.1 TB and 5 TB."""
    rows = machines()
    return Totals(
        machines=sum(row.count for row in rows),
        cpu=sum(row.count * row.cpu for row in rows),
        memory=sum(row.count * row.memory for row in rows),
        disk=sum(row.count * row.disk for row in rows),
        external_storage=sum(row.external_storage or 0 for row in rows),
    )


@cache
def link() -> Link:
    """Return the page's least link speeds."""
    upstream, downstream = _NUMBER.findall(read("network")["link"])
    return Link(upstream=float(upstream), downstream=float(downstream))


TOLERANCE = 0.9
"""Kernels, hypervisors and file systems keep some of what was sold, and sellers count in units of
their own: so much of a size will do, in what a site declares and in what a machine shows."""


def enough(found: int, needed: int) -> bool:
    """Return whether a size is what was asked for, but for what systems keep of it."""
    return found >= needed * TOLERANCE


def accepted_releases() -> tuple[str, ...]:
    """Return the Ubuntu releases with long-term support that hosts may run, oldest first."""
    return tuple(read("machines")["accepted_lts"])


def _machine(row: dict[str, str]) -> Machine:
    sentences = {key: value for key, value in row.items() if key != "role"}
    external = sentences.get("external_storage")
    return Machine(
        role=Role(row["role"]),
        count=_number(row["count"]),
        cpu=_number(row["cpu"]),
        memory=_size(row["memory"]),
        disk=_size(row["disk"]),
        external_storage=_size(external) if external else None,
        sentences=sentences,
    )


def _number(sentence: str) -> int:
    return int(sentence.split(maxsplit=1)[0])


def _size(sentence: str) -> int:
    found = _SIZE.search(sentence)
    if not found:
        raise ValueError(f"no size in: {sentence}")
    return parse_size(found[0])
