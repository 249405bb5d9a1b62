"""In which order hosts are changed: what others depend on first."""

from fhirstack.model.host import Role
from fhirstack.model.site import Environment

_WAVES = (
    (Role.DATABASE, Role.NFS),
    (Role.LOAD_BALANCER,),
    (Role.PRIMARY,),
    (Role.WORKER, Role.ANALYTICS),
)


def waves(environment: Environment) -> tuple[tuple[str, ...], ...]:
    """Return the names of hosts, wave after wave; the hosts of one wave need not wait."""
    return tuple(
        tuple(host.name for host in environment.hosts if host.role in roles) for roles in _WAVES
    )
