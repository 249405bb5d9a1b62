"""Live checks: one list, the same for every environment. A check that cannot look is skipped."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg

from fhirstack.checks.session import Session
from fhirstack.errors import FhirstackError
from fhirstack.page.results import Verdict

_BREAKS = (httpx.HTTPError, psycopg.Error, FhirstackError, OSError, ValueError, KeyError)
"""What a check may meet instead of an answer."""


class FailedError(Exception):
    """The check looked, and it is not as it must be. The text is the evidence."""


class SkippedError(Exception):
    """The check cannot look here. The text is the reason."""


@dataclass(frozen=True)
class Check:
    """One check: its id, the requirement that it proves, what it says, and how it looks.

    ``look`` returns its evidence, or raises FailedError or SkippedError. ``writes`` are the types
    that it lets health workers write: where the site does not, there is nothing to look at.
    """

    id: str
    requirement: str
    title: str
    look: Callable[[Session], str]
    writes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What a check found, with its evidence and the seconds that it took."""

    check: Check
    verdict: Verdict
    evidence: str
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as data, for ``--format json``."""
        return {
            "id": self.check.id,
            "requirement": self.check.requirement,
            "title": self.check.title,
            "verdict": self.verdict.value,
            "evidence": self.evidence,
            "seconds": round(self.seconds, 3),
        }


def looked(check: Check, session: Session) -> Result:
    """Let a check look. One that breaks is failed: whatever happens, it is never ok by that."""
    started = time.monotonic()
    try:
        _need_writes(check, session)
        verdict, evidence = Verdict.OK, check.look(session)
    except FailedError as error:
        verdict, evidence = Verdict.FAILED, str(error)
    except SkippedError as error:
        verdict, evidence = Verdict.SKIPPED, str(error)
    except _BREAKS as error:
        verdict, evidence = Verdict.FAILED, f"{type(error).__name__}: {error}"
    return Result(check, verdict, evidence, time.monotonic() - started)


def _need_writes(check: Check, session: Session) -> None:
    if not check.writes:
        return
    written = session.environment.application.writes
    lacking = ", ".join(name for name in check.writes if name not in written)
    if lacking:
        raise SkippedError(f"health workers write no {lacking} here: application.writes")


def status_is(response: httpx.Response, *allowed: int, what: str = "") -> str:
    """Return the evidence that a response has one of these status codes; else raise."""
    request = response.request
    shown = what or f"{request.method} {request.url.path}"
    if response.status_code not in allowed:
        expected = " or ".join(str(code) for code in allowed)
        raise FailedError(f"{shown}: {response.status_code}, not {expected}{_reason(response)}")
    return f"{shown}: {response.status_code}"


def refused(response: httpx.Response, *allowed: int, what: str = "") -> str:
    """Return the evidence that the gateway refused as it must: code and an OperationOutcome."""
    evidence = status_is(response, *allowed, what=what)
    try:
        kind = response.json().get("resourceType")
    except ValueError:
        kind = None
    if kind != "OperationOutcome":
        raise FailedError(f"{evidence}, but its body is no OperationOutcome")
    return evidence


def require(condition: bool, evidence: str) -> str:
    """Return the evidence if the condition holds; else raise FailedError with it."""
    if not condition:
        raise FailedError(evidence)
    return evidence


def _reason(response: httpx.Response) -> str:
    try:
        issues = response.json().get("issue") or []
        text = "; ".join(str(issue.get("diagnostics", "")) for issue in issues)
    except (ValueError, AttributeError):
        text = ""
    return f" ({text[:160]})" if text else ""
