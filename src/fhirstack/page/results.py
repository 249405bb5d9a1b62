"""Verdicts: what a check found, and what that means."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from fhirstack.errors import ExitCode
from fhirstack.model.site import Environment
from fhirstack.page.requirements import Requirement, Severity

_MOST_PROBLEMS = 8
"""Of one finding: who has read as many looks for what they have in common."""


class Verdict(StrEnum):
    """What became of a requirement."""

    OK = "ok"
    FAILED = "failed"
    WARNING = "warning"
    """Not met, and the page only recommends it."""
    SKIPPED = "skipped"
    """Not looked at: the evidence says why, or what it needs."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw: a verdict and the values that it rests on."""

    verdict: Verdict
    evidence: str
    remedy: str = ""
    """What to do where it is not met, for who provides it."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The finding on one requirement in one environment (None: in the whole site)."""

    requirement: Requirement
    environment: str | None
    verdict: Verdict
    evidence: str
    host: str | None = None
    """The host that was looked at; None where it is not of one host."""
    remedy: str = ""


def ok(evidence: str) -> Finding:
    """Return a finding that the requirement is met."""
    return Finding(Verdict.OK, evidence)


def failed(evidence: str, remedy: str = "") -> Finding:
    """Return a finding that the requirement is not met; its severity decides what that means."""
    return Finding(Verdict.FAILED, evidence, remedy)


def skipped(reason: str) -> Finding:
    """Return a finding that nothing was looked at."""
    return Finding(Verdict.SKIPPED, reason)


def judge(problems: Iterable[str], evidence: str, remedy: str = "") -> Finding:
    """Return failed with the problems, or ok with the evidence where there is none."""
    found = list(problems)
    if len(found) > _MOST_PROBLEMS:
        found[_MOST_PROBLEMS:] = [f"and {len(found) - _MOST_PROBLEMS} more"]
    return failed("; ".join(found), remedy) if found else ok(evidence)


def result(
    requirement: Requirement,
    environment: Environment | None,
    finding: Finding,
    host: str | None = None,
) -> CheckResult:
    """Return a finding weighed by the requirement's severity, and by what the site accepts.

    A deviation that the site accepts is a warning, and its reason is told each time.
    """
    verdict, evidence, remedy = finding.verdict, finding.evidence, finding.remedy
    reason = environment.deviates(requirement.id) if environment else None
    if verdict is Verdict.FAILED and reason:
        verdict, evidence, remedy = Verdict.WARNING, f"{evidence}. Accepted: {reason}", ""
    elif verdict is Verdict.FAILED and requirement.severity is not Severity.MUST:
        verdict = Verdict.WARNING
    name = environment.name if environment else None
    return CheckResult(requirement, name, verdict, evidence, host=host, remedy=remedy)


def exit_code(results: Iterable[CheckResult], *, strict: bool = False) -> ExitCode:
    """Return 1 where a requirement is not met; warnings count with ``strict`` only."""
    bad = {Verdict.FAILED, Verdict.WARNING} if strict else {Verdict.FAILED}
    return ExitCode.DIFFERENCES if any(item.verdict in bad for item in results) else ExitCode.OK
