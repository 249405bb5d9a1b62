"""Every live check, one test each, on a stack without any data of a programme."""

import json
import os
import signal
import subprocess
import xml.etree.ElementTree as ET

import pytest

from fhirstack.checks.verify import CHECKS
from tests.e2e.conftest import REPOSITORY
from tests.e2e.waiting import until

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_check(verified, check):
    result = verified[check.id]
    if result["verdict"] == "skipped":
        pytest.skip(result["evidence"])
    assert result["verdict"] == "ok", result["evidence"]
    assert result["evidence"]


def test_results_come_in_the_order_of_the_list(verified):
    assert list(verified) == [check.id for check in CHECKS]


def test_analytics_are_looked_at(verified):
    """They run here: nothing but a browser may be wanting."""
    skipped = [
        id
        for id, result in verified.items()
        if id.startswith(("analytics.", "superset."))
        and result["verdict"] == "skipped"
        and not any(word in result["evidence"] for word in ("Chromium", "certutil", "playwright"))
    ]
    assert skipped == []


def test_nothing_of_the_checks_is_left_however_quick_they_are(cli):
    from fhirstack.checks import fixtures  # noqa: PLC0415
    from tests.e2e.keycloak import platform_of  # noqa: PLC0415

    cli.ok("verify", "edge.redirect", "token.android")
    with platform_of(cli).fhir() as fhir:
        for kind in ("Patient", "Observation", "Practitioner", "CareTeam"):
            gone = fhir.get(f"/{kind}/{fixtures.PREFIX}-nurse").status_code
            assert gone in (404, 410), kind


def test_what_a_killed_run_leaves_can_do_nothing_and_goes(cli):
    from fhirstack.checks import fixtures  # noqa: PLC0415
    from tests.e2e.keycloak import administration  # noqa: PLC0415

    def left(admin, realm):
        return admin.get(f"/{realm}/users", search=fixtures.PREFIX)

    with administration(cli) as (admin, realm):
        words = [str(REPOSITORY / "fhirstack"), "verify", "token.", "--name", cli.name]
        run = subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL)
        until(lambda: len(left(admin, realm)) >= 5 or run.poll() is not None, "its people")
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        people = left(admin, realm)
        assert people
        # At most who the check of that moment needed.
        assert len([user for user in people if user["enabled"]]) <= 1
        cli.ok("demo", "load", "--patients", "1")
        assert left(admin, realm) == []


def test_what_a_killed_run_left_is_gone_before_up_compares_the_realm(cli):
    from fhirstack.checks import client_web, fixtures  # noqa: PLC0415
    from tests.e2e.keycloak import administration  # noqa: PLC0415

    with administration(cli) as (admin, realm):
        admin.post(f"/{realm}/clients", {"clientId": fixtures.PREFIX})
        admin.post(f"/{realm}/groups", {"name": client_web.NEW_GROUP})
        admin.post(f"/{realm}/users", {"username": client_web.NEW_USER, "enabled": True})
        text = cli.ok("up")
        assert "Nothing changed." in text
        assert fixtures.PREFIX not in text
        for what in ("clients?clientId", "groups?search", "users?username"):
            assert admin.get(f"/{realm}/{what}={fixtures.PREFIX}") == []


def test_an_interrupted_run_leaves_nothing(cli):
    from fhirstack.checks import devices, fixtures  # noqa: PLC0415
    from fhirstack.clients.contract import Strategy  # noqa: PLC0415
    from tests.e2e.keycloak import administration, platform_of  # noqa: PLC0415

    with administration(cli) as (admin, realm):
        words = [str(REPOSITORY / "fhirstack"), "verify", "client.", "--name", cli.name]
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        run = subprocess.Popen(words, start_new_session=True, **streams)
        people = {f"{devices.app_of(strategy)}-own" for strategy in Strategy}

        def at_work():
            found = admin.get(f"/{realm}/users", search=fixtures.PREFIX, max=99)
            awake = {user["username"] for user in found if user["enabled"]}
            return len(people & awake) > 1 or run.poll() is not None

        until(at_work, "devices of several strategies at once")
        os.killpg(run.pid, signal.SIGINT)
        _, said = run.communicate()
        assert run.returncode == 130, said
        assert "Traceback" not in said
        assert admin.get(f"/{realm}/users", search=fixtures.PREFIX) == []
    with platform_of(cli).fhir() as fhir:
        for kind in ("Patient", "Practitioner", "Composition"):
            search = {"_tag": "https://fhirstack.org/tags|verify", "_summary": "count"}
            found = fhir.get(f"/{kind}", params=search, headers={"Cache-Control": "no-cache"})
            assert found.json()["total"] == 0, kind


def test_junit_counts_the_checks(cli, tmp_path):
    path = tmp_path / "verify.xml"
    cli.ok("verify", "tls.", "--format", "junit", "--output", str(path))
    suite = ET.parse(path).getroot()  # noqa: S314 - our own file
    assert int(suite.get("tests", "0")) == len([c for c in CHECKS if c.id.startswith("tls.")])
    assert suite.get("failures") == "0"


def test_a_check_that_does_not_exist_is_wrong_usage(cli):
    answer = cli("verify", "nonsense.")
    assert answer.code == 2
    assert "nonsense." in answer.text


def test_a_real_hole_is_found(cli):
    """The checks can fail: with the realm opened by hand, the one check that says so does."""
    from tests.e2e.keycloak import administration  # noqa: PLC0415

    with administration(cli) as (admin, realm):
        (client,) = admin.get(f"/{realm}/clients", clientId="fhir-web")
        admin.put(f"/{realm}/clients/{client['id']}", {**client, "implicitFlowEnabled": True})
        try:
            answer = cli("verify", "token.no-implicit", "token.web-code", "--format", "json")
        finally:
            admin.put(f"/{realm}/clients/{client['id']}", client)
    assert answer.code == 1
    verdicts = {result["id"]: result["verdict"] for result in json.loads(answer.out)}
    assert verdicts == {"token.no-implicit": "failed", "token.web-code": "ok"}
