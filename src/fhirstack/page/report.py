"""Check results as JSON and Markdown, and what they come to."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from fhirstack.page.results import CheckResult, Verdict


def as_json(results: Iterable[CheckResult]) -> str:
    """Return the results as a JSON list; ``environment`` is null for what is of the whole site."""
    return (
        json.dumps(
            [
                {
                    "requirement": item.requirement.id,
                    "environment": item.environment,
                    "verdict": item.verdict,
                    "evidence": item.evidence,
                    "severity": item.requirement.severity,
                    "sentence": item.requirement.sentence,
                    "addition": item.requirement.addition,
                    "reason": item.requirement.reason,
                }
                for item in results
            ],
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
    )


def as_markdown(results: Sequence[CheckResult]) -> str:
    """Return the results as one table for each environment."""
    parts = ["# Check of the site\n"]
    for environment in dict.fromkeys(item.environment for item in results):
        parts.append(f"\n## {environment or 'The whole site'}\n")
        parts.append("| requirement | the page | verdict | evidence |\n| --- | --- | --- | --- |")
        parts += [
            f"| {item.requirement.id} | {_cell(words(item))} | {item.verdict} "
            f"| {_cell(item.evidence)} |"
            for item in results
            if item.environment == environment
        ]
    return "\n".join((*parts, "", summary(results), ""))


def words(item: CheckResult) -> str:
    """Return what a requirement says: the page's sentence, or what was added and why."""
    entry = item.requirement
    return f"(addition) {entry.provide}" if entry.addition else entry.sentence or ""


def shown(results: Iterable[CheckResult]) -> tuple[CheckResult, ...]:
    """Return what a person has to look at: what failed and what is warned of."""
    return tuple(item for item in results if item.verdict in {Verdict.FAILED, Verdict.WARNING})


def summary(results: Iterable[CheckResult]) -> str:
    """Return one line: how many of each verdict, and what the skipped ones need."""
    found = list(results)
    counted = Counter(item.verdict for item in found)
    text = ", ".join(f"{counted[verdict]} {verdict}" for verdict in Verdict if counted[verdict])
    reasons = Counter(item.evidence for item in found if item.verdict is Verdict.SKIPPED)
    if reasons:
        text += " (" + "; ".join(f"{count} {why}" for why, count in reasons.items()) + ")"
    return text


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
