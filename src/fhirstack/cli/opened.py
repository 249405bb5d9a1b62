"""An environment whose hosts are asked: its site, what was chosen of it, and the way in."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from fhirstack.cli.console import console
from fhirstack.cli.options import chosen, open_environment
from fhirstack.cli.progress import step
from fhirstack.errors import FhirstackError
from fhirstack.model.host import Host, Role
from fhirstack.model.site import Site
from fhirstack.planes.hosts import drafted, left, plane, trust
from fhirstack.planes.hosts.accepted import accept
from fhirstack.planes.hosts.desired.left import left_on
from fhirstack.planes.hosts.ssh import Connections, entrance
from fhirstack.planes.hosts.ssh_said import ClosedWayError


class Opened:
    """A site's environment, the hosts that were chosen, and how they are reached."""

    def __init__(
        self, file: Path, environment: str, hosts: list[str] | None, roles: list[Role] | None
    ) -> None:
        self.file = file
        self.site: Site
        self.site, self.environment = open_environment(file, environment)
        self.hosts: tuple[Host, ...] = chosen(self.environment, hosts, roles)
        self.connections = Connections(self.environment, file)
        self.leave_data = False
        """Whether PostgreSQL may begin empty beside data that stay behind elsewhere."""

    @cached_property
    def drafted(self) -> drafted.Drafted:
        """What each chosen host is to have, and what of it is yet to be made."""
        return drafted.drafted(self.file.resolve().parent, self.environment, self.hosts)

    def desired(self) -> plane.Desired:
        """Return what each chosen host is to have."""
        return self.drafted.desired

    def connect(self, names: Iterable[str] | None = None) -> dict[str, FhirstackError]:
        """Know the keys on the way, and open the connection that all share.

        ``names``: of hosts, or all that were chosen. Returns what is wrong with single hosts.
        Raises UnreachableError for what nobody gets past.
        """
        names = [host.name for host in self.hosts] if names is None else names
        entry = entrance(self.environment)
        way = trust.ensure(self.connections, entry)
        self.connections.open()
        rest = [name for name in names if name not in entry]
        added, errors = trust.ensure_each(self.connections, rest)
        for name in (*way, *added):
            console(stderr=True).print(f"Known by the site's fingerprint: {name}")
        return errors

    def plan(self, desired: plane.Desired) -> plane.Plan:
        """Return how hosts differ, and what would be made for them.

        A host that the load balancer lets nobody to, while its own plan changes whom it lets
        through, is for later. Where nothing of it would change, the shared connection is older
        than what the load balancer has: those are asked again by a new one.
        """
        with step(f"plan of {len(desired)} hosts"):
            found = self._look(desired)
            shut = {n: e for n, e in found.errors.items() if isinstance(e, ClosedWayError)}
            opens = any(
                found.hosts[entry.name].guards
                for entry in self.environment.hosts_of(Role.LOAD_BALANCER)
                if entry.name in found.hosts
            )
            if shut and not opens:
                self.connections.renew()
                again = self._look({name: desired[name] for name in shut})
                hosts = {n: {**found.hosts, **again.hosts}.get(n) for n in desired}
                others = {n: e for n, e in found.errors.items() if n not in shut}
                found = replace(
                    found,
                    hosts={name: host for name, host in hosts.items() if host},
                    errors=others | dict(again.errors),
                )
                shut = {}
        found = self._refused(found)
        errors = {name: error for name, error in found.errors.items() if name not in shut}
        made = drafted.changes(self.drafted, found.changes, {**errors, **shut})
        return replace(found, errors=errors, later=shut, site=made)

    def _refused(self, found: plane.Plan) -> plane.Plan:
        """Return a plan without hosts that would begin empty beside data left elsewhere.

        Then every host is asked, also those that were not chosen; what cannot be reached tells
        nothing.
        """
        empty = left.begins_empty(found.hosts)
        if not empty or self.leave_data:
            return found
        asked = {*found.hosts, *found.errors}
        others = {
            host.name: (left_on(self.environment, host),)
            for host in self.environment.hosts
            if host.name not in asked
        }
        seen = self._look(others).hosts if others else {}
        errors = left.refused(empty, {**found.hosts, **seen})
        hosts = {name: plan for name, plan in found.hosts.items() if name not in errors}
        return replace(found, hosts=hosts, errors={**found.errors, **errors})

    def _look(self, desired: plane.Desired) -> plane.Plan:
        unknown = self.connect(desired)
        asked = {name: one for name, one in desired.items() if name not in unknown}
        found = plane.plan(self.connections, self.site.programme, asked)
        found = replace(found, errors={**unknown, **found.errors})
        return accept(found, self.environment.accepted, self.environment.hosts)
