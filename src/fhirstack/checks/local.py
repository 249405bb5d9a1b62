"""A verification session on a local stack."""

from collections.abc import Iterator
from contextlib import contextmanager

from fhirstack.checks.session import Session, trusting_client
from fhirstack.planes.local import sync
from fhirstack.planes.local.platform import Platform


@contextmanager
def session_of(platform: Platform) -> Iterator[Session]:
    """Open what checks need of a local platform."""
    with (
        platform.keycloak_admin() as admin,
        platform.fhir() as backend,
        trusting_client(platform.certificate_authority) as http,
    ):
        yield Session(
            environment=platform.environment,
            admin=admin,
            backend=backend,
            http=http,
            authority=platform.certificate_authority,
            secrets=platform.secrets,
            inside={
                (workload.name, port): platform.stack.endpoints[workload.name, port]
                for workload in platform.workloads
                for port in workload.ports
            },
            local_root=platform.stack.root,
            sync=lambda: sync.done(sync.run(platform)),
        )
