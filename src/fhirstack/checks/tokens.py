"""Checks of identity: tokens that must not work, and what a token says."""

import base64
import json
import time
from typing import Any

from fhirstack.checks.check import Check, refused, require
from fhirstack.checks.session import Session

ANYTHING = "Patient?_count=1"
LATEST_SECONDS = 30


def claims(token: str) -> dict[str, Any]:
    """Return a token's claims, without checking it."""
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return found


def _unauthorized(session: Session, token: str, what: str) -> str:
    return refused(session.fhir("GET", ANYTHING, token), 401, what=what)


def other_realm(session: Session) -> str:
    return _unauthorized(session, session.admin.token(), "a token of the master realm")


def tampered(session: Session) -> str:
    head, payload, signature = session.tokens_of(session.people.nurse)["access_token"].split(".")
    body = claims(f"{head}.{payload}.")
    body["realm_access"]["roles"].append("MANAGE_PATIENT")
    forged = base64.urlsafe_b64encode(json.dumps(body).encode()).rstrip(b"=").decode()
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    flipped = ("A" if signature[10] != "A" else "B").join((signature[:10], signature[11:]))
    for token, what in (
        (f"{head}.{forged}.{signature}", "altered claims"),
        (f"{head}.{payload}.{flipped}", "an altered signature"),
        (f"{none}.{payload}.", "no signature"),
        ("x.y.z", "no token at all"),
    ):
        _unauthorized(session, token, what)
    return "altered claims, altered and missing signatures: 401"


def wrong_kind(session: Session) -> str:
    tokens = session.tokens_of(session.people.nurse)
    _unauthorized(session, tokens["id_token"], "an ID token")
    _unauthorized(session, tokens["refresh_token"], "a refresh token")
    return "an ID token and a refresh token are refused: 401"


def expired(session: Session) -> str:
    """Ask until the token is refused; soon after its end it must be.

    Services allow for clocks that differ by some seconds, so it is waited for, with a limit.
    """
    token = session.people.short_lived
    end = claims(token)["exp"]
    while True:
        asked = time.time()
        answer = session.fhir("GET", ANYTHING, token)
        # An answer that took long is of when it was asked for.
        if answer.status_code == 401 or asked > end + LATEST_SECONDS:
            break
        time.sleep(0.2)
    refused(answer, 401, what="an expired token")
    require("expired" in answer.text, f"refused for another reason: {answer.text[:200]}")
    return f"refused; it ended {time.time() - end:.0f} s ago"


CHECKS = (
    Check(
        "token.other-realm",
        "services.fhir-gateway",
        "Another realm's token is refused",
        other_realm,
    ),
    Check("token.tampered", "services.fhir-gateway", "Tampered tokens are refused", tampered),
    Check("token.kind", "services.fhir-gateway", "Only access tokens are taken", wrong_kind),
)
LAST = (Check("token.expired", "services.fhir-gateway", "An expired token is refused", expired),)
"""Its token is made at the beginning and has ended when everything else was looked at."""
