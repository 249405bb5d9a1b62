"""An environment whose hosts are asked: its site, what was chosen of it, and the way in."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

from fhirstack.cli.console import console
from fhirstack.cli.options import chosen, open_environment
from fhirstack.cli.progress import step
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

    def connect(self) -> None:
        """Know the keys on the way, and open the connection that all share.

        Raises UnreachableError for what nobody gets past.
        """
        entry = [h.name for h in self.environment.hosts_of(Role.LOAD_BALANCER)]
        way = [f"{self.environment.name}-bastion", *entry, *(host.name for host in self.hosts)]
        for name in trust.ensure(self.connections, way):
            console(stderr=True).print(f"Known by the site's fingerprint: {name}")
        self.connections.open()

    def plan(self, desired: plane.Desired) -> plane.Plan:
        """Return how the chosen hosts differ, and what would be made for them."""
        with step(f"plan of {len(self.hosts)} hosts"):
            self.connect()
            found = plane.plan(self.connections, self.site.programme, desired)
        return replace(found, site=drafted.changes(self.drafted, found.changes, found.errors))
