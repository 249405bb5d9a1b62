"""The Android app's life with bundles as large as the app makes them, and without an assignment.

`verify` replays it under every strategy with smaller ones (tests/e2e/test_verify.py).
"""

import pytest

from fhirstack.checks import client_android, devices
from fhirstack.checks.session import Person
from fhirstack.clients.contract import Strategy
from fhirstack.planes.iam.roles import ANDROID_GROUP
from fhirstack.planes.iam.users import User, delete_user, ensure_user
from fhirstack.secret import Secret
from tests.e2e.keycloak import session

pytestmark = pytest.mark.e2e

PASSWORD = Secret("a-password-of-a-test-1")


def test_bundles_of_500_entries_are_taken(cli):
    with session(cli) as opened:
        look = client_android.android(Strategy.RELATED, devices.FULLEST)
        assert "OpenSRP" in look(opened)


def test_without_an_assignment_the_refusal_says_what_is_missing(cli):
    prefix = "strategy-nobody"
    with session(cli) as opened:
        realm = opened.environment.realm.name
        user = User(prefix, "A", "B", f"{prefix}@example.org", prefix, (ANDROID_GROUP,))
        worker = Person(prefix, PASSWORD, ensure_user(opened.admin, realm, user, PASSWORD))
        try:
            answer = opened.fhir("GET", "Patient?_count=1", worker)
            assert answer.status_code == 403
            assert "Composition" in answer.text
        finally:
            delete_user(opened.admin, realm, prefix)
