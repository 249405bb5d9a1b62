"""Services that come and go: the gateway recovers by itself and tells the truth meanwhile."""

import httpx
import pytest

from fhirstack.checks import fixtures
from tests.e2e.keycloak import administration, session
from tests.e2e.waiting import until

pytestmark = pytest.mark.e2e


def health(cli, service):
    port = cli.stack.port(service, "management")
    try:
        return httpx.get(
            f"http://127.0.0.1:{port}/actuator/health/readiness", timeout=10
        ).status_code
    except httpx.HTTPError:
        return 0


def test_the_gateway_starts_before_keycloak_and_recovers(cli):
    supervisor = cli.supervisor
    supervisor.stop("keycloak")
    supervisor.stop("fhir-gateway")
    supervisor.start("fhir-gateway")
    until(lambda: health(cli, "fhir-gateway") == 503, "the gateway says that it is not ready")
    with session(cli) as opened:
        answer = opened.fhir("GET", "Patient", "a.b.c")
        assert answer.status_code == 503
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert opened.fhir("GET", "metadata").status_code == 200
    gateway = cli.status()["fhir-gateway"]["pid"]
    supervisor.start("keycloak")
    until(lambda: health(cli, "fhir-gateway") == 200, "the gateway is ready again")
    assert cli.status()["fhir-gateway"]["pid"] == gateway


def test_the_fhir_server_waits_for_its_database(cli):
    supervisor = cli.supervisor
    supervisor.stop("postgresql")
    until(lambda: health(cli, "fhir-server") == 503, "the FHIR server says so")
    until(lambda: health(cli, "fhir-gateway") == 503, "the gateway says so")
    supervisor.start("postgresql")
    until(lambda: health(cli, "fhir-server") == 200, "the FHIR server is back")
    until(lambda: all(s["ready"] for s in cli.status().values()), "everything is back")


def test_rotated_keys_are_followed(cli):
    with administration(cli) as (admin, realm), session(cli) as opened, fixtures.cast(opened):
        people = opened.people
        old = opened.tokens_of(people.web)["access_token"]
        assert opened.fhir("GET", "Patient?_count=1", old).status_code == 200
        realm_id = admin.get(f"/{realm}")["id"]
        before = admin.get(f"/{realm}/components", type="org.keycloak.keys.KeyProvider")
        (current,) = [c for c in before if c["name"] == "rsa-generated"]
        new = admin.post(
            f"/{realm}/components",
            {
                "name": "rotated",
                "providerId": "rsa-generated",
                "providerType": "org.keycloak.keys.KeyProvider",
                "parentId": realm_id,
                "config": {"priority": ["200"], "algorithm": ["RS256"]},
            },
        )
        assert new
        fresh = opened.tokens_of(people.administrator)["access_token"]
        assert opened.fhir("GET", "Patient?_count=1", fresh).status_code == 200
        # The old key is taken away: what was signed with it stops working.
        admin.delete(f"/{realm}/components/{current['id']}")

        def refused():
            return opened.fhir("GET", "Patient?_count=1", old).status_code == 401

        until(refused, "a token of the removed key is refused", limit=400)
        assert opened.fhir("GET", "Patient?_count=1", fresh).status_code == 200
