"""A site whose people write less: what they send all the same is refused, as `verify` proves."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fhirstack.checks import client_android, client_web, fixtures
from fhirstack.checks import verify as checking
from fhirstack.checks.check import FailedError
from fhirstack.checks.session import Session
from fhirstack.clients.contract import Strategy
from fhirstack.model.site import Environment
from fhirstack.page.results import Verdict
from fhirstack.planes.iam import plan as iam
from tests.e2e.keycloak import platform_of, session

pytestmark = pytest.mark.e2e

LESS = ("Flag", "Group", "Media", "QuestionnaireResponse", "RelatedPerson")


def writing_less(environment: Environment) -> Environment:
    def less(setting):
        kept = tuple(name for name in setting.writes if name not in LESS)
        return setting.model_copy(update={"writes": kept})

    found = {"application": less(environment.application), "fhir_web": less(environment.fhir_web)}
    return environment.model_copy(update=found)


def converge(cli, environment: Environment) -> None:
    platform = platform_of(cli)
    with platform.keycloak_admin() as admin:
        for change in iam.plan(admin, environment, dict(platform.secrets)):
            if change.apply:
                change.apply()


@contextmanager
def told_less(cli) -> Iterator[Session]:
    """Yield a session of an environment that declares less, whatever the realm holds."""
    with session(cli) as opened:
        opened.environment = writing_less(opened.environment)
        with fixtures.cast(opened):
            yield opened


@pytest.fixture
def lesser(cli):
    """A realm in which people may write less."""
    platform = platform_of(cli)
    try:
        converge(cli, writing_less(platform.environment))
        yield
    finally:
        converge(cli, platform.environment)


CHECKS = {
    "android": (client_android.android(Strategy.CARE_TEAM), "upload.extracted"),
    "web": (client_web.replay, "flag.raised"),
}


@pytest.mark.parametrize("check", CHECKS)
def test_what_a_site_withholds_is_asked_for_and_refused(cli, lesser, check):
    look, step = CHECKS[check]
    with told_less(cli) as opened:
        evidence = look(opened)
    assert "refused, as " in evidence
    assert step in evidence


def test_no_check_fails_a_site_for_what_it_withholds(cli, lesser):
    stages = checking.choose(["android.", "anonymous.", "web.moved", "fhir.", "pipelines."])
    with session(cli) as opened:
        opened.environment = writing_less(opened.environment)
        results = checking.verify(opened, stages, lambda result: None)
    found = {result.check.id: result for result in results}
    failed = [f"{name}: {r.evidence}" for name, r in found.items() if r.verdict is Verdict.FAILED]
    assert not failed
    assert found["android.sync"].verdict is Verdict.OK
    for name, kind in {"register": "Group", "corrected-form": "QuestionnaireResponse"}.items():
        assert found[f"android.{name}"].verdict is Verdict.SKIPPED
        assert f"write no {kind} here" in found[f"android.{name}"].evidence


@pytest.mark.parametrize("check", CHECKS)
def test_what_is_withheld_in_words_alone_is_a_failure(cli, check):
    look, step = CHECKS[check]
    with told_less(cli) as opened, pytest.raises(FailedError, match=f"{step}.*not 403"):
        look(opened)
