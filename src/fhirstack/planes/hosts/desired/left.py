"""What an earlier role of a host may have left on it."""

from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.nfs import ACCOUNT_ID
from fhirstack.planes.hosts.resources import LeftData


def left_on(environment: Environment, host: Host) -> LeftData:
    """Return what tells of data that the host's role has no use for. It needs no secret."""
    own = environment.backups is None or host.role is Role.NFS
    return LeftData(
        postgresql=host.role is not Role.DATABASE,
        directories=() if own or environment.backups is None else (environment.backups.path,),
        uid=ACCOUNT_ID,
    )
