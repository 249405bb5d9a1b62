"""What an environment's PostgreSQL differs in, for every command that looks at it or changes it."""

from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager

import psycopg

from fhirstack.cli.opened import Opened
from fhirstack.cli.progress import step
from fhirstack.errors import FhirstackError, UnreachableError
from fhirstack.model.host import Host, Role
from fhirstack.page.database import with_replicas
from fhirstack.planes import databases
from fhirstack.planes.databases import remote
from fhirstack.planes.hosts import passwords, plane
from fhirstack.planes.hosts.desired import postgresql
from fhirstack.planes.hosts.inputs import inputs_for, store_of
from fhirstack.planes.hosts.store import Store
from fhirstack.planes.plane import Action, Change
from fhirstack.services import catalogue
from fhirstack.services.workload import Login

_FIRST = ("place:postgresql", "postgresql-cluster:", "package:postgresql-", "service:postgresql@")
"""What a host is to have before its databases can be looked at."""
AFTER = "databases and roles come after `fhirstack apply`"


@contextmanager
def planned(opened: Opened, host: Host) -> Iterator[tuple[list[Change], Store]]:
    """Yield what differs on a host that can be reached; changes are made while the block lasts.

    With it the store, in which secrets that are yet to be made are drafted.

    Raises UnreachableError where PostgreSQL does not answer, refuses, or is not this environment's.
    """
    environment = opened.environment
    directory = opened.file.resolve().parent
    store = store_of(directory, environment)
    secrets = inputs_for(directory, environment, store).secrets
    desired = with_replicas(catalogue.databases(environment))
    unused = catalogue.unused_databases(environment)
    expected = databases.Expected(
        postgresql.data_directory(host), opened.site.programme, environment.name
    )
    with remote.reached(opened.connections, host.name) as server:
        with step(f"databases of {server.host}"):
            connection = server.open()
        try:
            with connection:
                found = databases.plan(
                    connection, desired, secrets, server.open, unused, expected=expected
                )
                yield [*passwords.made(store, desired, found), *found], store
        except psycopg.Error as error:
            raise UnreachableError(
                f"its PostgreSQL refused, or was lost: {error}".strip(),
                where=server.host,
                remedy="what was made stays; run it again",
            ) from error


def beside(opened: Opened, found: plane.Plan) -> plane.Beside:
    """Return what the databases of the chosen hosts differ in, next to the plan of the hosts."""
    chosen = [host for host in opened.hosts if host.role is Role.DATABASE]
    if not chosen or chosen[0].name not in found.hosts:
        return plane.Beside()
    host = chosen[0]
    if _comes_after(found.hosts[host.name]):
        return plane.Beside(note=AFTER)
    try:
        with planned(opened, host) as (changes, store):
            pass
    except FhirstackError as error:
        return plane.Beside(error=error)
    remedy = f"fhirstack databases apply -e {opened.environment.name}"
    desired = catalogue.databases(opened.environment)
    logins = [login for database in desired for login in database.every_login]
    if never_made(changes, logins, store.drafts):
        return plane.Beside(note=f"no databases and roles were made yet: `{remedy}`")
    return plane.Beside(tuple(changes), remedy=remedy)


def never_made(changes: Iterable[Change], logins: Iterable[Login], drafts: Container[str]) -> bool:
    """Return whether nothing was ever made: no role is there, and none has a password. Pure.

    Where passwords are kept of roles that are not there, somebody took the databases away.
    """
    made = {change.address for change in changes if change.action is Action.CREATE}
    return all(
        f"roles/{login.role}" in made and f"site/secret:{login.secret}" in drafts
        for login in logins
    )


def _comes_after(host: plane.HostPlan) -> bool:
    ready = (Action.RESTART, Action.REPORT)
    places = [
        change.address.partition("/")[2] for change in host.changes if change.action not in ready
    ]
    return any(place.startswith(_FIRST) for place in places)
