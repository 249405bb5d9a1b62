"""The one list of live checks, and running it."""

import json
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from fhirstack.checks import (
    analytics,
    client_android,
    client_web,
    closed,
    edge,
    fixtures,
    records,
    superset,
    tokens,
    web,
    writes,
)
from fhirstack.checks.check import Check, Result, run
from fhirstack.checks.report import count
from fhirstack.checks.session import Session
from fhirstack.errors import FhirstackError, UsageError
from fhirstack.page.results import Verdict

CHECKS: tuple[Check, ...] = (
    *edge.CHECKS,
    *tokens.CHECKS,
    *records.CHECKS,
    *writes.CHECKS,
    *web.CHECKS,
    *client_web.CHECKS,
    *client_android.CHECKS,
    *analytics.CHECKS,
    *superset.CHECKS,
    *closed.CHECKS,
    *tokens.LAST,
)


def choose(patterns: list[str]) -> tuple[Check, ...]:
    """Return the checks whose ids begin with one of the patterns. Raises UsageError for none."""
    chosen = tuple(
        check for check in CHECKS if not patterns or any(check.id.startswith(p) for p in patterns)
    )
    if not chosen:
        raise UsageError(
            f"no check's id begins with {', '.join(patterns)}", remedy="`verify --list` names them."
        )
    return chosen


@dataclass(frozen=True)
class Record:
    """The last whole run on a platform: when (UTC, ISO 8601), and what came out."""

    at: str
    ok: int
    skipped: int
    failed: int

    def as_json(self) -> str:
        """Return it as the text of its file."""
        return json.dumps(asdict(self)) + "\n"


def record_of(results: list[Result]) -> Record:
    """Return the record of a run that ended now."""
    counts = count(results)
    return Record(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        ok=counts[Verdict.OK],
        skipped=counts[Verdict.SKIPPED],
        failed=counts[Verdict.FAILED],
    )


def read_record(text: str) -> Record | None:
    """Return the record from its file's text; None for anything else."""
    try:
        return Record(**json.loads(text))
    except (ValueError, TypeError):
        return None


def verify(
    session: Session, checks: tuple[Check, ...], shown: Callable[[Result], None]
) -> list[Result]:
    """Run checks with the people that they need; each result is shown as it comes."""
    results = []
    with ExitStack() as stack:
        try:
            stack.enter_context(fixtures.cast(session))
        except FhirstackError as error:
            # Without people the checks that need them fail, each by name, with this reason.
            first = Check("verify.people", "services.keycloak", "Users can be made", lambda _: "")
            results.append(Result(first, Verdict.FAILED, str(error), 0.0))
            shown(results[0])
        for result in run(checks, session):
            with suppress(FhirstackError):
                session.rest()
            results.append(result)
            shown(result)
    return results
