"""The runbook for support: it says what each reason means that the gateway writes to its log."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
GATEWAY = REPOSITORY / "java/fhir-gateway/src/main/java"
REASON = re.compile(
    r"(?:denied|Refusal\.token|new Refusal|entry\.reason)"
    r'\((?:[\w\s=?:|]+,\s*)?(?:exists \? )?"([a-z-]+)"'
)
SERVED = {"open", "preflight", "not-modified"}
"""What is written of requests that were not refused."""


def test_every_reason_of_a_refusal_is_explained():
    sources = "".join(path.read_text() for path in GATEWAY.rglob("*.java"))
    reasons = set(REASON.findall(sources)) - SERVED
    assert {"foreign-tag", "role", "outside", "malformed", "backend-down"} <= reasons
    text = (REPOSITORY / "docs/support.md").read_text()
    explained = set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\|[^|]+\|", text, re.M))))
    assert sorted(reasons - explained) == []
