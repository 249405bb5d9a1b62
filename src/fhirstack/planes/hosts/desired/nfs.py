"""The NFS host: its external storage, for those hosts that write backups.

All of them write as the system's account ``backup``, which has the same uid (34) on every Debian
and Ubuntu: who is who on a client does not matter, and nobody is root.
"""

from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.clients import clients
from fhirstack.planes.hosts.desired.inputs import Inputs
from fhirstack.planes.hosts.desired.releases import release
from fhirstack.planes.hosts.desired.rpcbind import WITHOUT_RPCBIND
from fhirstack.planes.hosts.resources import (
    Directory,
    Exports,
    File,
    Package,
    Resource,
    Service,
    Storage,
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
    path, mount = environment.backups.path, environment.storage.mount
    allowed = tuple(str(item.network_address) for item in clients(environment, host, PORT, WRITERS))
    ganesha = environment.storage.server == "ganesha"
    unit = "nfs-ganesha" if ganesha else "nfs-server"
    disk = on_its_disk(path, mount, unit) if host.external_storage or mount else ()
    needs = tuple(item.address for item in disk)
    directory = Directory(path=path, mode="0750", owner=ACCOUNT, group=ACCOUNT, needs=needs)
    if ganesha:
        server = _ganesha(host, path, allowed, needs)
    else:
        server = _kernel(path, mount, allowed, needs)
    return (*disk, directory, *server, *WITHOUT_RPCBIND)


def on_its_disk(path: str, mount: str | None, unit: str) -> tuple[Resource, ...]:
    """Return what keeps a unit from serving a path while the disk is missing, after a boot too.

    Where the site names no mount, the path's file system must be another than the root's.
    """
    missing = 'there=$$(stat -c %%d "$$1") && test "$$there" != "$$(stat -c %%d /)"'
    there = 'mountpoint -q "$$1"' if mount else missing
    guard = File(
        path=f"/etc/systemd/system/{unit}.service.d/60-fhirstack-disk.conf",
        content=(
            "# Without its disk nothing is served: what is written would go to the root disk.\n"
            f"[Unit]\nRequiresMountsFor={_quoted(path)}\n"
            f"[Service]\nExecCondition=/bin/sh -c '{there} || exit 255' sh"
            f" {_quoted(mount or path).replace('$', '$$')}\n"
        ),
    )
    return guard, Storage(path=path, mount=mount or "", services=(unit,))


def _quoted(path: str) -> str:
    """Return a path as one word of a unit file."""
    for sign in ("\\", '"'):
        path = path.replace(sign, f"\\{sign}")
    return f'"{path.replace("%", "%%")}"'


def _kernel(
    path: str, mount: str | None, allowed: tuple[str, ...], needs: tuple[str, ...]
) -> tuple[Resource, ...]:
    options = "rw,sync,no_subtree_check,all_squash"
    options += f",anonuid={ACCOUNT_ID},anongid={ACCOUNT_ID},sec=sys"
    # Also a server that runs shares nothing when its disk is taken away.
    options += f",mp={mount}" if mount else ""
    line = " ".join([path, *(f"{client}({options})" for client in allowed)])
    package = Package(name="nfs-kernel-server")
    configuration = File(
        path="/etc/nfs.conf.d/60-fhirstack.conf",
        content="[nfsd]\nudp=n\ntcp=y\nvers3=n\nvers4=y\n",
    )
    return (
        package,
        configuration,
        Directory(path="/etc/exports.d", exclusive="*.exports"),
        File(path="/etc/exports", content=f"{line}\n" if allowed else ""),
        Service(name="nfs-server", watch=(package.address, configuration.address, *needs)),
        Exports(needs=("service:nfs-server",)),
    )


def _ganesha(
    host: Host, path: str, allowed: tuple[str, ...], needs: tuple[str, ...]
) -> tuple[Resource, ...]:
    content = render_ganesha(path, allowed, asks_for_io_flusher=release(host).ganesha_flusher)
    configuration = File(path="/etc/ganesha/ganesha.conf", content=content)
    packages = (Package(name="nfs-ganesha"), Package(name="nfs-ganesha-vfs"))
    options = File(
        path="/etc/default/nfs-ganesha",
        content='OPTIONS="-L /var/log/ganesha/ganesha.log -f /etc/ganesha/ganesha.conf'
        ' -N NIV_EVENT"\nEPOCH_EXEC="/bin/true"\n',
    )
    read = (*packages, configuration, options)
    watch = (*(resource.address for resource in read), *needs)
    return (*read, Service(name="nfs-ganesha", watch=watch))


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
