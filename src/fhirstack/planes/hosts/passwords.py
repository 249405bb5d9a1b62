"""Passwords of PostgreSQL's roles that are yet to be made: whom they lock out.

A role that is there has a password that somebody uses. Where its secret is gone, another one is
made: that is how one is changed, and what happens to who forgot to bring the store along.
"""

from collections.abc import Iterable
from dataclasses import replace

from fhirstack.errors import UsageError
from fhirstack.planes.hosts.store import Store
from fhirstack.planes.plane import Action, Change
from fhirstack.services.workload import Database


def made(store: Store, databases: Iterable[Database], changes: Iterable[Change]) -> list[Change]:
    """Return the secrets that would be made, and who is refused by another password."""
    there = _there(changes)
    roles = {login.secret: login.role for one in databases for login in one.every_login}
    found = []
    for address, draft in store.drafts.items():
        role = roles.get(address.removeprefix("site/secret:"))
        told = draft.change
        if role in there:
            words = f"{role} has another password: who logs in with it is refused from then on"
            told = replace(told, reason=words, disrupts=True)
        found.append(told)
    return found


def refuse_strange(environment: str, store: Store, changes: Iterable[Change]) -> None:
    """Raise UsageError where the store was never used for hosts, and their roles are there."""
    there = sorted(_there(changes))
    if store.is_new and store.drafts and there:
        raise UsageError(
            f"PostgreSQL has {', '.join(there)}, whose passwords are not here: were they made on"
            " another machine? Nothing was changed",
            where=str(store.directory),
            remedy="Bring that directory here. If it is lost:\n"
            f"  fhirstack apply -e {environment} --replace-authority {environment}",
        )


def _there(changes: Iterable[Change]) -> set[str]:
    """Return the services' roles that are there and would be changed.

    A role of others is no reason: it is shut out, and gets no password.
    """
    return {
        change.address.removeprefix("roles/")
        for change in changes
        if change.action is Action.UPDATE
        and change.address.startswith("roles/")
        and "password" in change.after
    }
