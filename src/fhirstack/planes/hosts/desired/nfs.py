"""The NFS host: its external storage, for those hosts that write backups.

All of them write as the system's account ``backup``, which has the same uid (34) on every Debian
and Ubuntu: who is who on a client does not matter, and nobody is root.
"""

from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.clients import clients
from fhirstack.planes.hosts.desired.inputs import Inputs
from fhirstack.planes.hosts.desired.releases import ganesha_asks_for_io_flusher
from fhirstack.planes.hosts.desired.rpcbind import WITHOUT_RPCBIND
from fhirstack.planes.hosts.resources import (
    Directory,
    Exports,
    File,
    Package,
    Resource,
    Service,
)

PORT = 2049
WRITERS = (Role.DATABASE, Role.PRIMARY)
"""They have something to back up: databases, and the cluster's state. The matrix lets all nodes
reach the port; a workload's volume there would share the fate of the backups."""
ACCOUNT = "backup"
ACCOUNT_ID = 34
"""Of base-passwd, static."""


def nfs(environment: Environment, host: Host, _: Inputs) -> tuple[Resource, ...]:
    """Return the directory of backups and the server that shares it. No path: no server."""
    if environment.backups is None:
        return ()
    path = environment.backups.path
    allowed = tuple(str(item.network_address) for item in clients(environment, host, PORT, WRITERS))
    directory = Directory(path=path, mode="0750", owner=ACCOUNT, group=ACCOUNT)
    if environment.storage.server == "ganesha":
        return (*_ganesha(host, path, allowed, directory), *WITHOUT_RPCBIND)
    return (*_kernel(path, allowed, directory), *WITHOUT_RPCBIND)


def _kernel(path: str, allowed: tuple[str, ...], directory: Directory) -> tuple[Resource, ...]:
    options = "rw,sync,no_subtree_check,all_squash"
    options += f",anonuid={ACCOUNT_ID},anongid={ACCOUNT_ID},sec=sys"
    line = " ".join([path, *(f"{client}({options})" for client in allowed)])
    configuration = File(
        path="/etc/nfs.conf.d/60-fhirstack.conf",
        content="[nfsd]\nudp=n\ntcp=y\nvers3=n\nvers4=y\n",
    )
    return (
        Package(name="nfs-kernel-server"),
        directory,
        configuration,
        Directory(path="/etc/exports.d", exclusive="*.exports"),
        File(path="/etc/exports", content=f"{line}\n" if allowed else ""),
        Service(name="nfs-server", watch=("package:nfs-kernel-server", configuration.address)),
        Exports(needs=("service:nfs-server",)),
    )


def _ganesha(
    host: Host, path: str, allowed: tuple[str, ...], directory: Directory
) -> tuple[Resource, ...]:
    content = render_ganesha(path, allowed, asks_for_io_flusher=ganesha_asks_for_io_flusher(host))
    configuration = File(path="/etc/ganesha/ganesha.conf", content=content)
    packages = (Package(name="nfs-ganesha"), Package(name="nfs-ganesha-vfs"))
    return (
        *packages,
        directory,
        configuration,
        Service(
            name="nfs-ganesha",
            watch=(*(package.address for package in packages), configuration.address),
        ),
    )


def render_ganesha(path: str, allowed: tuple[str, ...], *, asks_for_io_flusher: bool) -> str:
    """Return ``ganesha.conf``: one export, closed to all but the clients that are named.

    A server that asks to be an I/O flusher (a precaution for those that are their own clients,
    which none is here) goes on where it may not be one, as in a container.
    """
    flusher = "\n  Allow_Set_Io_Flusher_Fail = true;" if asks_for_io_flusher else ""
    blocks = "".join(
        f"""
  CLIENT {{
    Clients = {client};
    Access_Type = RW;
  }}
"""
        for client in allowed
    )
    return f"""\
NFS_CORE_PARAM {{
  Protocols = 4;
  NFS_Port = {PORT};
  Enable_NLM = false;
  Enable_RQUOTA = false;{flusher}
}}

NFSV4 {{
  RecoveryBackend = fs;
}}

EXPORT {{
  Export_Id = 1;
  Path = {path};
  Pseudo = {path};
  Protocols = 4;
  Transports = TCP;
  SecType = sys;
  Access_Type = NONE;
  Squash = all_squash;
  Anonymous_Uid = {ACCOUNT_ID};
  Anonymous_Gid = {ACCOUNT_ID};
  FSAL {{
    Name = VFS;
  }}
{blocks}}}
"""
