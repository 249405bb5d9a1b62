"""An environment whose hosts are asked: its site, what was chosen of it, and the way in."""

from pathlib import Path

from fhirstack.cli.console import console
from fhirstack.cli.options import chosen, open_environment
from fhirstack.cli.progress import step
from fhirstack.model.host import Host, Role
from fhirstack.model.site import Site
from fhirstack.planes.hosts import plane, trust
from fhirstack.planes.hosts.desired import desired as declared
from fhirstack.planes.hosts.inputs import inputs_for
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

    def desired(self) -> plane.Desired:
        """Return what each chosen host is to have."""
        inputs = inputs_for(self.file.resolve().parent, self.environment)
        return {host.name: declared(self.environment, host, inputs) for host in self.hosts}

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
        """Return how the chosen hosts differ."""
        with step(f"plan of {len(self.hosts)} hosts"):
            self.connect()
            return plane.plan(self.connections, self.site.programme, desired)
