"""An environment whose hosts are asked: its site, what was chosen of it, and the way in."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

from fhirstack.cli.console import console
from fhirstack.cli.options import chosen, open_environment
from fhirstack.cli.progress import step
from fhirstack.errors import FhirstackError
from fhirstack.model.host import Host, Role
from fhirstack.model.site import Site
from fhirstack.planes.hosts import drafted, plane, trust
from fhirstack.planes.hosts.ssh import Connections


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

    @cached_property
    def drafted(self) -> drafted.Drafted:
        """What each chosen host is to have, and what of it is yet to be made."""
        return drafted.drafted(self.file.resolve().parent, self.environment, self.hosts)

    def desired(self) -> plane.Desired:
        """Return what each chosen host is to have."""
        return self.drafted.desired

    def connect(self) -> dict[str, FhirstackError]:
        """Know the keys on the way, and open the connection that all share.

        Returns what is wrong with single hosts. Raises UnreachableError for what nobody gets past.
        """
        entry = [h.name for h in self.environment.hosts_of(Role.LOAD_BALANCER)]
        way = trust.ensure(self.connections, [f"{self.environment.name}-bastion", *entry])
        self.connections.open()
        rest = [host.name for host in self.hosts if host.name not in entry]
        added, errors = trust.ensure_each(self.connections, rest)
        for name in (*way, *added):
            console(stderr=True).print(f"Known by the site's fingerprint: {name}")
        return errors

    def plan(self, desired: plane.Desired) -> plane.Plan:
        """Return how the chosen hosts differ, and what would be made for them."""
        with step(f"plan of {len(self.hosts)} hosts"):
            unknown = self.connect()
            asked = {name: one for name, one in desired.items() if name not in unknown}
            found = plane.plan(self.connections, self.site.programme, asked)
        errors = {**unknown, **found.errors}
        made = drafted.changes(self.drafted, found.changes, errors)
        return replace(found, errors=errors, site=made)
