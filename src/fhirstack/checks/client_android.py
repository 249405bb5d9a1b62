"""Checks that real clients are served: their contracts, replayed as they send them."""

from collections.abc import Callable

from fhirstack.checks import devices
from fhirstack.checks.check import Check, FailedError, refused
from fhirstack.checks.session import Session
from fhirstack.clients.contract import As, Contract, Strategy
from fhirstack.clients.load import contract
from fhirstack.clients.player import Played, play

SHOWN = 6
"""Failures that a check's evidence shows; the others are counted."""


def verdict(client: Contract, played: Played) -> str:
    """Return the evidence that all was answered as the client needs; else raise FailedError."""
    if not played.failures:
        evidence = f"{played.requests} requests of {client.client} answered as it needs"
        wanting = sorted({name for names in played.unsent.values() for name in names})
        reason = "; ".join(client.may_have[name] for name in wanting)
        unsent = f"; not sent: {', '.join(played.unsent)} (here is not: {reason})"
        return evidence + (unsent if wanting else "")
    shown = "\n".join(map(str, played.failures[:SHOWN]))
    more = len(played.failures) - SHOWN
    raise FailedError(
        f"{len(played.failures)} of {played.requests} requests of {client.client} are not "
        f"answered as it needs:\n{shown}" + (f"\nand {more} more" if more > 0 else "")
    )


def android(strategy: Strategy, full: int = devices.FULL) -> Callable[[Session], str]:
    """Return the check of a device's whole life under a sync strategy."""

    def look(session: Session) -> str:
        app = contract("android")
        with devices.scene(session, strategy, full) as scene:
            played = play(
                app,
                scene.values,
                session.http,
                lambda who: session.tokens_of(scene.people[who])["access_token"],
                strategy,
            )
            evidence = verdict(app, played)
            fenced(session, scene)
        return evidence

    return look


def fenced(session: Session, scene: devices.Scene) -> None:
    """Look that what a device of the other team has is closed to this one, by every road."""
    worker, name = scene.people[As.WORKER], f"{scene.values['other']}-1"
    tag = {"system": scene.values["strategy_system"], "code": scene.values["strategy_code"]}
    body = {"resourceType": "Patient", "id": name, "meta": {"tag": [tag]}}
    entry = {"resource": body, "request": {"method": "PUT", "url": f"Patient/{name}"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    for method, path, content in (
        ("GET", f"Patient/{name}", None),
        ("PUT", f"Patient/{name}", body),
        ("POST", "", bundle),
    ):
        refused(session.fhir(method, path, worker, json=content), 403, 404, what=f"{method} {path}")


CHECKS = (
    Check(
        "client.android.careteam",
        "services.fhir-gateway",
        "The app's life, by CareTeam",
        android(Strategy.CARE_TEAM),
    ),
    Check(
        "client.android.organization",
        "services.fhir-gateway",
        "The app's life, by Organization",
        android(Strategy.ORGANIZATION),
    ),
    Check(
        "client.android.location",
        "services.fhir-gateway",
        "The app's life, by Location",
        android(Strategy.LOCATION),
    ),
    Check(
        "client.android.related-location",
        "services.fhir-gateway",
        "The app's life, by related Location",
        android(Strategy.RELATED),
    ),
)
