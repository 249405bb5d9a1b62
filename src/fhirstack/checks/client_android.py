"""Checks that real clients are served: their contracts, replayed as they send them."""

from collections.abc import Callable

from fhirstack.checks import devices
from fhirstack.checks.check import Check, FailedError, SkippedError, refused
from fhirstack.checks.session import Session
from fhirstack.clients.contract import As, Contract, Strategy, used
from fhirstack.clients.load import contract
from fhirstack.clients.player import Played, play
from fhirstack.model.records import TYPES

SHOWN = 6
"""Failures that a check's evidence shows; the others are counted."""


CONFIGURATION = {"site_composition", "site_version", "site_binaries", "site_binary_count"}
PARAMETERS = {"site_parameters"}
FORMS = {"site_forms"}


def of_site(app: Contract, names: set[str]) -> Contract:
    """Return the steps that need one of these things, which a programme may not have."""
    steps = tuple(step for step in app.steps if used(step) & set(app.may_have) & names)
    return app.model_copy(update={"steps": steps})


def of_device(app: Contract) -> Contract:
    """Return the steps that need nothing of a programme."""
    steps = tuple(step for step in app.steps if not used(step) & set(app.may_have))
    return app.model_copy(update={"steps": steps})


def verdict(client: Contract, played: Played) -> str:
    """Return the evidence that all was sent and answered as the client needs.

    Raises FailedError where it was not answered so, SkippedError where not all could be sent.
    """
    if not played.failures:
        evidence = f"{played.requests} requests of {client.client} answered as it needs"
        wanting = sorted({name for names in played.unsent.values() for name in names})
        if wanting:
            reason = "; ".join(client.may_have[name] for name in wanting)
            sent = f"{evidence}; " if played.requests else ""
            raise SkippedError(f"{sent}not sent: {', '.join(played.unsent)}. Not here: {reason}")
        less = f"; refused, as application.writes has less: {', '.join(played.refused)}"
        return evidence + (less if played.refused else "")
    shown = "\n".join(map(str, played.failures[:SHOWN]))
    more = len(played.failures) - SHOWN
    raise FailedError(
        f"{len(played.failures)} of {played.requests} requests of {client.client} are not "
        f"answered as it needs:\n{shown}" + (f"\nand {more} more" if more > 0 else "")
    )


def android(strategy: Strategy, full: int = devices.FULL) -> Callable[[Session], str]:
    """Return the check of a device's whole life under a sync strategy."""

    def look(session: Session) -> str:
        app = of_device(contract("android"))
        withheld = set(TYPES) - set(session.environment.application.writes)
        with devices.scene(session, strategy, full) as scene:
            played = play(
                app,
                scene.values,
                session.http,
                lambda who: session.tokens_of(scene.people[who])["access_token"],
                strategy,
                # Some of its requests carry the worker's token among their own headers.
                withheld=dict.fromkeys(As, withheld),
            )
            evidence = verdict(app, played)
            fenced(session, scene)
        return evidence

    return look


def configuration(names: set[str]) -> Callable[[Session], str]:
    """Return the check of what the app asks of the programme's own application.

    Before log-in it has no token; after it, its user's.
    """

    def look(session: Session) -> str:
        app = of_site(contract("android"), names)
        values = {"fhir": session.environment.fhir_base, **devices.site_values(session)}
        # What these steps do not use needs no value.
        app = app.model_copy(update={"needs": {"fhir": app.needs["fhir"]}})

        def token(who: As) -> str:
            return session.tokens_of(session.people.nurse)["access_token"]

        return verdict(app, play(app, values, session.http, token))

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
        "client.android.first-screen",
        "services.fhir-gateway",
        "The app's first screen",
        configuration(CONFIGURATION),
    ),
    Check(
        "client.android.parameters",
        "services.fhir-gateway",
        "The first screen's Parameters",
        configuration(PARAMETERS),
    ),
    Check(
        "client.android.forms",
        "services.fhir-gateway",
        "The programme's forms, after log-in",
        configuration(FORMS),
    ),
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
