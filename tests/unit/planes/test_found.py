"""What the realm holds beside what is declared: whose it is, as a plan says it."""

import pytest

from fhirstack.checks import client_web, devices, fixtures
from fhirstack.clients.contract import Strategy
from fhirstack.planes.iam.observed import foreign
from fhirstack.planes.plane import Action

OF_CHECKS = [
    f"clients/{fixtures.PREFIX}",
    f"groups/{client_web.NEW_GROUP}",
    f"users/{client_web.NEW_USER}/roles/MANAGE_PATIENT",
    f"users/{fixtures.PREFIX}-administrator/roles/manage-users",
    f"users/service-account-{fixtures.PREFIX}/roles/view-users",
    *(f"users/{devices.app_of(strategy)}-own/roles/GET_PATIENT" for strategy in Strategy),
]
OF_OTHERS = [
    "clients/by-hand",
    "clients/fhirstack-verifying",
    "groups/my-fhirstack-verify",
    "groups/ANDROID_PRACTITIONER/fhirstack-verify",
    "users/amina/roles/MANAGE_PATIENT",
    "identity-providers/other",
]


@pytest.mark.parametrize("address", OF_CHECKS)
def test_what_a_check_left_is_said_to_go_by_itself(address):
    told = foreign(address)
    assert told.action is Action.REPORT
    assert "interrupted `verify`" in told.reason
    assert "the next `verify` or `up` removes it" in told.reason
    assert foreign(address, "granted by hand").reason == told.reason


@pytest.mark.parametrize("address", OF_OTHERS)
def test_what_others_made_is_said_to_stay(address):
    assert foreign(address).reason == "not made by fhirstack: left as it is"
    assert foreign(address, "whoever knows this key").reason == "whoever knows this key"
