"""Passwords of roles that are made anew: whom that locks out, and where it is refused."""

import os

import pytest
from tests.unit.hosts.desired_site import environment

from fhirstack.errors import UsageError
from fhirstack.planes.hosts import passwords
from fhirstack.planes.hosts.inputs import inputs_for, store_of
from fhirstack.planes.local.account import Account
from fhirstack.planes.plane import Action, Change
from fhirstack.services import catalogue

OWN = Account("me", os.geteuid(), os.getegid())
SECRET = "site/secret:postgresql-fhir"


def role(name, action):
    return Change("databases", f"roles/{name}", action, after={"password": "***"})


def shut_out(name):
    return Change("databases", f"roles/{name}", Action.UPDATE, after={"login": False})


def asked(directory):
    """Return the store after a plan of databases asked for every role's password."""
    store = store_of(directory, environment())
    found = inputs_for(directory, environment(), store)
    for database in catalogue.databases(environment()):
        for login in database.every_login:
            found.secrets[login.secret]
    return store


def used(directory):
    """Do what an apply does to the store."""
    store = store_of(directory, environment())
    inputs_for(directory, environment(), store).certificates["redis"]
    store.keep(OWN)


@pytest.mark.parametrize(
    ("hosts_were_made", "changes", "refused"),
    [
        (False, [role("fhir", Action.CREATE)], False),
        (False, [role("fhir", Action.UPDATE)], True),
        (False, [role("mallory", Action.REPORT)], False),
        (False, [shut_out("mallory")], False),
        # One that was taken away, so that another is made.
        (True, [role("fhir", Action.UPDATE)], False),
        (True, [role("fhir", Action.CREATE)], False),
    ],
)
def test_a_store_that_was_left_behind_makes_no_passwords(
    tmp_path, hosts_were_made, changes, refused
):
    if hosts_were_made:
        used(tmp_path)
    store = asked(tmp_path)
    (told,) = (
        change
        for change in passwords.made(store, catalogue.databases(environment()), changes)
        if change.address == SECRET
    )
    locked_out = changes[0] == role("fhir", Action.UPDATE)
    assert told.disrupts is locked_out
    assert ("fhir has another password" in told.reason) is locked_out
    if refused:
        with pytest.raises(UsageError, match="made on another machine") as raised:
            passwords.refuse_strange("staging", store, changes)
        assert "--replace-authority staging" in raised.value.remedy
    else:
        passwords.refuse_strange("staging", store, changes)


def test_what_is_there_is_no_ones_to_refuse(tmp_path):
    asked(tmp_path).keep(OWN)
    passwords.refuse_strange("staging", asked(tmp_path), [role("fhir", Action.UPDATE)])
