"""Which roles get what: the one table of it."""

from collections.abc import Callable

from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.around import around
from fhirstack.planes.hosts.desired.base import base
from fhirstack.planes.hosts.desired.containers import containers
from fhirstack.planes.hosts.desired.firewall import firewall
from fhirstack.planes.hosts.desired.haproxy import haproxy
from fhirstack.planes.hosts.desired.inputs import Inputs
from fhirstack.planes.hosts.desired.logs import logs
from fhirstack.planes.hosts.desired.nfs import nfs
from fhirstack.planes.hosts.desired.postgresql import postgresql
from fhirstack.planes.hosts.desired.proxy import proxy
from fhirstack.planes.hosts.desired.redis import redis
from fhirstack.planes.hosts.desired.resolvers import resolvers
from fhirstack.planes.hosts.desired.ssh import ssh
from fhirstack.planes.hosts.resources import Resource

Concern = Callable[[Environment, Host, Inputs], tuple[Resource, ...]]

_OF_ROLE: dict[Role, tuple[Concern, ...]] = {
    Role.LOAD_BALANCER: (haproxy,),
    Role.PRIMARY: (containers,),
    Role.WORKER: (containers,),
    Role.ANALYTICS: (containers,),
    Role.DATABASE: (postgresql, redis),
    Role.NFS: (nfs,),
}


def needs(role: Role) -> tuple[Concern, ...]:
    """Return what a host of a role gets, in the order in which it is put in place.

    Logs come last: what is installed before may bring sockets that the log's service listens on.
    """
    return (proxy, resolvers, base, ssh, around, firewall, *_OF_ROLE[role], logs)
