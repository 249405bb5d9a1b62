"""The one list of live checks, and running it."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from fhirstack.checks import (
    analytics,
    client_android,
    client_web,
    closed,
    code_grant,
    edge,
    fixtures,
    grants,
    records,
    superset,
    tokens,
    web,
    writes,
)
from fhirstack.checks.check import Check, Result
from fhirstack.checks.report import count
from fhirstack.checks.running import Lane, Stage, listed, run
from fhirstack.checks.session import Session
from fhirstack.errors import FhirstackError, UsageError
from fhirstack.page.results import Verdict

_PEOPLE: Lane = (
    *edge.CHECKS,
    *grants.CHECKS,
    *code_grant.CHECKS,
    *tokens.CHECKS,
    *records.CHECKS,
    *writes.CHECKS,
    *web.CHECKS,
    *tokens.LAST,
)
"""What uses the same health workers, their teams and patients, some of them changing these."""

STAGES: tuple[Stage, ...] = (
    (
        _PEOPLE,
        client_web.CHECKS,
        # Each strategy has an application and people of its own.
        *((check,) for check in client_android.CHECKS),
        # Dashboards are compared while nothing is carried.
        (*web.IN_BROWSER, *analytics.WRITTEN, *superset.CHECKS),
    ),
    # Nobody writes any more: what is counted stays, and no other request takes what is left of a
    # refused body. What the checks left in logs is looked at last.
    (edge.ALONE, (*analytics.CHECKS, *closed.CHECKS)),
)

CHECKS = listed(STAGES)


def choose(patterns: list[str]) -> tuple[Stage, ...]:
    """Return the checks whose ids begin with one of the patterns. Raises UsageError for none."""
    chosen = tuple(
        tuple(
            tuple(c for c in lane if not patterns or any(c.id.startswith(p) for p in patterns))
            for lane in stage
        )
        for stage in STAGES
    )
    if not listed(chosen):
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
    session: Session, stages: tuple[Stage, ...], shown: Callable[[Result], None]
) -> list[Result]:
    """Run checks with the people that they need; each result is shown as it comes."""
    results: list[Result] = []

    def take(result: Result) -> None:
        results.append(result)
        shown(result)

    with ExitStack() as stack:
        try:
            stack.enter_context(fixtures.cast(session))
        except FhirstackError as error:
            # Without people the checks that need them fail, each by name, with this reason.
            first = Check("verify.people", "services.keycloak", "Users can be made", lambda _: "")
            take(Result(first, Verdict.FAILED, str(error), 0.0))
        run(stages, session, take)
    return results
