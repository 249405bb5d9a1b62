"""What hosts are to have, while some of it is yet to be made: secrets, authority, certificates.

It is drafted twice. Where the two differ, a resource holds what is yet to be made: it is marked, so
that a plan that is saved today and the apply of tomorrow, which drafts anew, are the same plan.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from fhirstack.errors import UsageError
from fhirstack.model.host import Host
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired import desired as declared
from fhirstack.planes.hosts.inputs import inputs_for, store_of
from fhirstack.planes.hosts.resources import File, Resource, Service
from fhirstack.planes.hosts.store import Store
from fhirstack.planes.plane import Action, Change
from fhirstack.services import catalogue

OPTION = "--replace-authority"

Desired = Mapping[str, tuple[Resource, ...]]


@dataclass(frozen=True)
class Drafted:
    """What each host is to have, and the store in which some of it is drafted."""

    desired: Desired
    store: Store

    @property
    def pending(self) -> Iterable[tuple[str, Resource]]:
        """Every host's resources that hold what is yet to be made."""
        for host, resources in self.desired.items():
            for resource in resources:
                if resource.pending:
                    yield host, resource


def drafted(site_directory: Path, environment: Environment, hosts: Iterable[Host]) -> Drafted:
    """Return what hosts are to have. Writes nothing.

    Raises UnreachableError for a file of the store, or one that the site names, of no use.
    """

    def draft() -> tuple[Store, dict[str, tuple[Resource, ...]]]:
        store = store_of(site_directory, environment)
        inputs = inputs_for(site_directory, environment, store)
        return store, {host.name: declared(environment, host, inputs) for host in hosts}

    hosts = tuple(hosts)
    store, found = draft()
    if store.drafts:
        _, other = draft()
        found = {
            name: tuple(
                one if one == again else replace(one, pending=True)
                for one, again in zip(resources, other[name], strict=True)
            )
            for name, resources in found.items()
        }
    return Drafted(found, store)


def changes(
    found: Drafted, hosts: Iterable[Change] = (), unseen: Iterable[str] = ()
) -> tuple[Change, ...]:
    """Return what `apply` would make in the store.

    ``hosts``: how the hosts differ; ``unseen``: those that could not be looked at. An authority
    that takes the place of another, in the store or on hosts, says whom that breaks.
    """
    store = found.store
    made = {address: draft.change for address, draft in store.drafts.items()}
    address = store.authority_address
    mine = made.get(address)
    reason = mine.reason if mine else ""
    if not reason:
        reason = _known_elsewhere(found, hosts, unseen, new=mine is not None)
    if reason:
        reason = f"{reason}. {_broken(found)}"
        made[address] = Change("site", address, Action.UPDATE, reason=reason, disrupts=True)
    return tuple(made.values())


def refuse_replacing(environment: str, made: Iterable[Change], allowed: Iterable[str]) -> None:
    """Raise UsageError for an authority that would be replaced without leave."""
    for name in allowed:
        if name != environment:
            raise UsageError(
                f"there is no authority {name}", remedy=f"{OPTION} {environment}, or none"
            )
    for change in made:
        if change.disrupts and environment not in allowed:
            raise UsageError(
                f"would be replaced: {change.reason} Nothing was changed",
                where=change.address,
                remedy="Is the site wrong, or secrets/ another machine's? Mend that. If it is"
                f" meant, give those clients the new authority:\n  {OPTION} {environment}",
            )


def _known_elsewhere(
    found: Drafted, hosts: Iterable[Change], unseen: Iterable[str], *, new: bool
) -> str:
    """Return which host has certificates of an authority that the store does not have.

    ``new``: the store has none yet. Otherwise one file that differs was changed by a hand; where
    all of them do, the authority is another.
    """
    differ = {change.address for change in hosts if change.action is Action.UPDATE}
    for host, resources in found.desired.items():
        held = [
            one
            for one in resources
            if isinstance(one, File) and not one.initial and one.content in found.store.issued
        ]
        other = [one.path for one in held if f"{host}/{one.address}" in differ]
        if other and (new or len(other) == len(held)):
            if found.store.has_replaced:
                return f"{host} still has {other[0]} of the authority that was replaced"
            return (
                f"{host} has {other[0]} of an authority that is not in"
                f" {found.store.directory} (was it made on another machine?)"
            )
        if new and held and host in unseen:
            return f"{host} could not be looked at, and may know another authority"
    return ""


def _broken(found: Drafted) -> str:
    """Tell which services and which clients another authority interrupts."""
    held = {(host, resource.address) for host, resource in found.pending} or {
        (host, one.address)
        for host, resources in found.desired.items()
        for one in resources
        if isinstance(one, File) and not one.initial and one.content in found.store.issued
    }
    words = []
    for host, resources in found.desired.items():
        for one in resources:
            if not isinstance(one, Service):
                continue
            if any((host, address) in held for address in one.watch):
                words.append(f"{one.name} restarts on {host}")
            elif any((host, address) in held for address in one.reload_watch):
                words.append(f"{one.name} is reloaded on {host}")
    environment = found.store.environment
    sql = sorted({one.role for d in catalogue.databases(environment) for one in d.every_login})
    redis = sorted(user.name for user in catalogue.redis_users(environment))
    clients = [
        f"{kind} ({', '.join(names)})"
        for kind, names in (("PostgreSQL", sql), ("Redis", redis))
        if names
    ]
    words.append(
        f"clients of {' and '.join(clients)} that trust the old authority refuse the servers"
        " until they have the new one."
    )
    return "; ".join(words)
