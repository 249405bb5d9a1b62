"""What came out of preflight, arranged for people and as JSON and HTML. Pure."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

from jinja2 import Environment as Templates
from jinja2 import StrictUndefined, Template
from markupsafe import Markup, escape

from fhirstack import __version__
from fhirstack.checks.preflight.facts import Facts, Seen
from fhirstack.checks.preflight.sizes import show
from fhirstack.checks.preflight.storage import own_disk
from fhirstack.model.host import Host
from fhirstack.page.report import words
from fhirstack.page.requirements import Requirement
from fhirstack.page.results import CheckResult, Verdict
from fhirstack.page.sizes import machine

_BAD = (Verdict.FAILED, Verdict.WARNING)


@dataclass(frozen=True, slots=True)
class Row:
    """A machine as it was found, beside what is needed, in words."""

    host: str
    role: str
    address: str
    system: str
    cores: str
    memory: str
    disk: str
    verdict: str
    """``ok``, or what it comes to: ``2 failed, 1 warning``, ``not reached``."""
    worst: Verdict | None
    """None: not reached."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One requirement that is not met, with what to do."""

    requirement: Requirement
    verdict: Verdict
    evidence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Block:
    """What is wrong in one place: on a host, on every host, or between them."""

    title: str
    note: str
    reason: str
    """Why a host was not reached, if it was not."""
    remedy: str
    problems: tuple[Problem, ...]

    @property
    def failed(self) -> bool:
        """Whether something in it must be put right."""
        failed = any(item.verdict is Verdict.FAILED for item in self.problems)
        return bool(self.reason) or failed


@dataclass(frozen=True, slots=True)
class Omitted:
    """A requirement that was not looked at for one reason, and where."""

    requirement: Requirement
    reason: str
    hosts: tuple[str, ...]
    """Without any: in the environment as a whole."""


def machine_rows(seen: Seen, results: Sequence[CheckResult]) -> tuple[Row, ...]:
    """Return one row for each host that was chosen."""
    return tuple(_row(seen, host, results) for host in seen.hosts)


def blocks(seen: Seen, results: Sequence[CheckResult]) -> tuple[Block, ...]:
    """Return what is wrong: what was not reached first, then what must be put right, then the rest.

    What is the same on every host that answered stands once.
    """
    common = _common(seen, results)
    found = []
    for reason in dict.fromkeys((one.reason, one.remedy) for one in seen.unreached.values()):
        names = [name for name, one in seen.unreached.items() if (one.reason, one.remedy) == reason]
        found.append(Block(", ".join(names), "not reached", *reason, ()))
    everywhere = [item for item in results if _key(item) in common]
    if everywhere:
        title = f"On every host that answered ({len(seen.answered)})"
        found.append(Block(title, "", "", "", _problems(_once(everywhere))))
    together = [item for item in results if item.host is None and item.verdict in _BAD]
    if together:
        title = f"{seen.environment.name} as a whole"
        found.append(Block(title, "", "", "", _problems(together)))
    for host, _ in seen.answered:
        own = [
            item
            for item in results
            if item.host == host.name and item.verdict in _BAD and _key(item) not in common
        ]
        if own:
            note = f"{host.role}, {host.address}"
            found.append(Block(host.name, note, "", "", _problems(own)))
    # Stable: within each kind the order of the site is kept.
    return tuple(sorted(found, key=lambda block: (not block.reason, not block.failed)))


def omitted(seen: Seen, results: Sequence[CheckResult]) -> tuple[Omitted, ...]:
    """Return what was not looked at on hosts that answered, each reason once."""
    found: dict[tuple[str, str], list[CheckResult]] = {}
    for item in results:
        if item.verdict is Verdict.SKIPPED and item.host not in seen.unreached:
            found.setdefault((item.requirement.id, item.evidence), []).append(item)
    return tuple(
        Omitted(
            items[0].requirement,
            reason,
            tuple(item.host for item in items if item.host is not None),
        )
        for (_, reason), items in found.items()
    )


def summary(seen: Seen, results: Sequence[CheckResult]) -> str:
    """Return one line: hosts that answered, and how many of each verdict."""
    counted = Counter(item.verdict for item in results)
    text = ", ".join(f"{counted[verdict]} {verdict}" for verdict in Verdict if counted[verdict])
    reached = f"{len(seen.answered)} of {len(seen.hosts)} hosts answered"
    return f"{seen.environment.name}: {reached}; {text}"


def as_json(seen: Seen, results: Sequence[CheckResult], at: datetime) -> str:
    """Return hosts with what was found, and the results, as one JSON object."""
    content = {
        "environment": seen.environment.name,
        "at": at.isoformat(timespec="seconds"),
        "summary": summary(seen, results),
        "hosts": [_host(seen, host) for host in seen.hosts],
        "results": [
            {
                "requirement": item.requirement.id,
                "environment": item.environment,
                "host": item.host,
                "verdict": item.verdict,
                "evidence": item.evidence,
                "remedy": item.remedy,
                "severity": item.requirement.severity,
                "sentence": item.requirement.sentence,
                "addition": item.requirement.addition,
                "reason": item.requirement.reason,
            }
            for item in results
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def as_html(seen: Seen, results: Sequence[CheckResult], programme: str, at: datetime) -> str:
    """Return one page without scripts or anything from elsewhere. Everything in it is escaped."""
    answered = [host.name for host, _ in seen.answered]
    return _template().render(
        programme=programme,
        version=__version__,
        environment=seen.environment,
        at=at,
        seen=seen,
        rows=machine_rows(seen, results),
        blocks=blocks(seen, results),
        omitted=omitted(seen, results),
        counted=Counter(item.verdict for item in results),
        met=[
            (name, [item for item in results if (item.host, item.verdict) == (name, Verdict.OK)])
            for name in (None, *answered)
        ],
        words=words,
    )


@cache
def _template() -> Template:
    text = files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8")
    templates = Templates(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters["code"] = _code
    return templates.from_string(text)


def _code(text: str) -> Markup:
    """Return text with what stands in backticks set as code; all of it is escaped."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
        for index, part in enumerate(parts)
    )


def _host(seen: Seen, host: Host) -> dict[str, object]:
    facts = seen.facts.get(host.name)
    missing = seen.unreached.get(host.name)
    return {
        "name": host.name,
        "role": host.role,
        "address": str(host.address),
        "reached": facts is not None,
        "reason": missing.reason if missing else None,
        "remedy": missing.remedy if missing else None,
        "facts": facts.model_dump(mode="json") if facts else None,
    }


def _row(seen: Seen, host: Host, results: Sequence[CheckResult]) -> Row:
    facts = seen.facts.get(host.name)
    known = {"host": host.name, "role": str(host.role), "address": str(host.address)}
    if facts is None:
        return Row(
            **known, system="", cores="", memory="", disk="", verdict="not reached", worst=None
        )
    counted = Counter(item.verdict for item in results if item.host == host.name)
    bad = [f"{counted[verdict]} {verdict}" for verdict in _BAD if counted[verdict]]
    worst = next((verdict for verdict in _BAD if counted[verdict]), Verdict.OK)
    return Row(**known, **_sizes(seen, host, facts), verdict=", ".join(bad) or "ok", worst=worst)


def _pair(found: int | None, needed: int) -> str:
    """Return a size that was found beside the one that is needed: ``8.2 / 8 GB``."""
    text, wanted = "?" if found is None else show(found), show(needed)
    unit = f" {wanted.rpartition(' ')[2]}"
    return f"{text.removesuffix(unit)} / {wanted}"


def _sizes(seen: Seen, host: Host, facts: Facts) -> dict[str, str]:
    page = machine(host.role)
    disk = own_disk(seen.environment, facts) if facts.filesystems else None
    return {
        "system": f"{facts.os.id} {facts.os.version}",
        "cores": f"{'?' if facts.cores is None else facts.cores} / {max(page.cpu, host.cpu)}",
        "memory": _pair(facts.memory, max(page.memory, host.memory)),
        "disk": _pair(disk, max(page.disk, host.disk)),
    }


def _key(item: CheckResult) -> tuple[str, str, str, str]:
    return (item.requirement.id, item.verdict, item.evidence, item.remedy)


def _common(seen: Seen, results: Sequence[CheckResult]) -> set[tuple[str, str, str, str]]:
    """Return what is wrong in the same words on every host that answered."""
    counted = Counter(_key(item) for item in results if item.host and item.verdict in _BAD)
    count = len(seen.answered)
    return {key for key, times in counted.items() if count > 1 and times == count}


def _once(items: Sequence[CheckResult]) -> list[CheckResult]:
    return list({_key(item): item for item in items}.values())


def _problems(items: Sequence[CheckResult]) -> tuple[Problem, ...]:
    found = [Problem(i.requirement, i.verdict, i.evidence, i.remedy) for i in items]
    return tuple(sorted(found, key=lambda item: _BAD.index(item.verdict)))
