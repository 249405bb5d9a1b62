"""NFS version 4 needs port 2049 alone: the port mapper that its packages bring stays off."""

from fhirstack.planes.hosts.resources import Service

WITHOUT_RPCBIND = (
    Service(name="rpcbind.socket", masked=True),
    Service(name="rpcbind.service", masked=True),
)
