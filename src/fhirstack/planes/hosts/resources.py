"""What a host is to have: one type a kind of resource, sent to the agent as JSON.

The agent (``agent/``) has one class a kind, which observes and changes. The order of a list of
resources is the order in which they are put in place: a package before its files, files before
the service that reads them.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One thing of a host that is observed, compared and changed."""

    kind: ClassVar[str]
    named_by: ClassVar[str] = ""
    """The field that tells it from others of its kind; none where a host has one of them."""
    guard: bool = False
    """Whether a mistake in it may lock people out: it is undone unless the controller confirms."""
    needs: tuple[str, ...] = ()
    """Addresses of what must be there first. What a service watches, it needs as well."""
    pending: bool = False
    """Whether some of it is yet to be made, by apply: that tells no two plans apart."""

    @property
    def address(self) -> str:
        """The resource's name in plans, such as ``file:/etc/hosts``."""
        return f"{self.kind}:{getattr(self, self.named_by)}" if self.named_by else self.kind

    def as_dict(self) -> dict[str, Any]:
        """Return what the agent reads."""
        return {"kind": self.kind, "address": self.address, **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class Package(Resource):
    """A Debian package, installed; with ``present=False`` removed."""

    kind = "package"
    named_by = "name"
    name: str
    present: bool = True
    starts: bool = False
    """Whether its services may start by being installed. Ours are configured first."""


@dataclass(frozen=True, kw_only=True)
class File(Resource):
    """A regular file, whole. ``content=None``: no such file.

    ``validate`` is run on the new content before it takes the file's place: ``{}`` in it is the
    path of a copy that has the owner and mode of the file. ``secret``: never shown in a plan.
    """

    kind = "file"
    named_by = "path"
    path: str
    content: str | None
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    validate: tuple[str, ...] = ()
    secret: bool = False
    initial: bool = False
    """Whether the content is only for a file that is not there: another program writes it later."""
    early: bool = False
    """Whether it is there before packages are installed, because their scripts read it."""


@dataclass(frozen=True, kw_only=True)
class Link(Resource):
    """A symbolic link to ``target``, in place of whatever file or link is there."""

    kind = "link"
    named_by = "path"
    path: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Block(Resource):
    """Lines between two marks in a file that others write to as well, such as /etc/hosts."""

    kind = "block"
    named_by = "path"
    path: str
    content: str


@dataclass(frozen=True, kw_only=True)
class Directory(Resource):
    """A directory. ``exclusive``: a pattern of file names; those that no resource names go."""

    kind = "directory"
    named_by = "path"
    path: str
    mode: str = "0755"
    owner: str = "root"
    group: str = "root"
    exclusive: str = ""
    keep: tuple[str, ...] = ()
    """Names that stay in an exclusive directory."""


@dataclass(frozen=True, kw_only=True)
class Group(Resource):
    """A group of accounts."""

    kind = "group"
    named_by = "name"
    name: str
    system: bool = False


@dataclass(frozen=True, kw_only=True)
class User(Resource):
    """An account: no password, supplementary groups exactly these. Keys are files (see ssh)."""

    kind = "user"
    named_by = "name"
    name: str
    shell: str = "/bin/bash"
    groups: tuple[str, ...] = ()
    system: bool = False
    home: str = ""
    """Empty: /home/<name>."""


@dataclass(frozen=True, kw_only=True)
class Logins(Resource):
    """Who may log in at all: any other account with a shell and a uid of people is locked.

    Accounts with the uid 0 beside root are locked too. A locked account keeps its files.
    """

    kind = "logins"
    allowed: tuple[str, ...]
    guard: bool = True


@dataclass(frozen=True, kw_only=True)
class Service(Resource):
    """A unit of systemd. It is restarted (or reloaded) when something that it watches changed."""

    kind = "service"
    named_by = "name"
    name: str
    running: bool = True
    enabled: bool = True
    masked: bool = False
    """Stopped and masked: cannot be started."""
    watch: tuple[str, ...] = ()
    """Addresses of resources that it reads when it starts: a change of one restarts it."""
    reload_watch: tuple[str, ...] = ()
    """Addresses for which a reload is enough, which does not disrupt."""


@dataclass(frozen=True, kw_only=True)
class Job(Resource):
    """A unit of systemd that a timer starts: its last run succeeded."""

    kind = "job"
    named_by = "name"
    name: str
    """With its ending: ``x.service``."""


@dataclass(frozen=True, kw_only=True)
class Units(Resource):
    """Units whose files are their packages' and what is declared, neither shadowed nor masked.

    ``boot``: also what a boot starts, by the default target and by generators.
    """

    kind = "units"
    named_by = "name"
    name: str
    units: tuple[str, ...]
    boot: bool = False


@dataclass(frozen=True, kw_only=True)
class Sysctl(Resource):
    """Kernel settings: now, and at boot by a file in /etc/sysctl.d."""

    kind = "sysctl"
    named_by = "name"
    name: str
    """Of the file, without its ending."""
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Module(Resource):
    """A kernel module: loaded (or built in) now, and at boot."""

    kind = "module"
    named_by = "name"
    name: str


@dataclass(frozen=True, kw_only=True)
class Mount(Resource):
    """A file system in fstab, and mounted. ``options`` as in fstab."""

    kind = "mount"
    named_by = "path"
    path: str
    source: str
    type: str
    options: str = "defaults"


@dataclass(frozen=True, kw_only=True)
class Storage(Resource):
    """A path that lies on a disk of its own, never on the root file system in its place.

    Nothing of it is made: where the disk is missing, ``services`` that would write to the path are
    stopped, and the rest is left to people.
    """

    kind = "storage"
    named_by = "path"
    path: str
    mount: str = ""
    """Where the disk is mounted: the path or above it. Empty: anywhere below the root."""
    services: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Swap(Resource):
    """No swap, now and at boot: the kubelet refuses to run with it."""

    kind = "swap"


@dataclass(frozen=True, kw_only=True)
class AptSource(Resource):
    """A package repository in deb822 form, with its key in the file itself."""

    kind = "apt-source"
    named_by = "name"
    name: str
    content: str


@dataclass(frozen=True, kw_only=True)
class Nftables(Resource):
    """One table of the firewall: loaded in the kernel, and at boot from /etc/nftables.conf.

    ``ruleset`` defines the table ``inet <table>``, nothing else. Other tables are not touched.
    """

    kind = "nftables"
    named_by = "table"
    table: str
    ruleset: str
    guard: bool = True


@dataclass(frozen=True, kw_only=True)
class Ruleset(Resource):
    """No table in the kernel's firewall but those that are named, and those of known programs.

    ``chains``: how the chains of known programs begin, in tables that many share.
    """

    kind = "ruleset"
    tables: tuple[str, ...]
    """Family and name, such as ``inet fhirstack``."""
    chains: tuple[str, ...] = ()
    guard: bool = True


@dataclass(frozen=True, kw_only=True)
class PostgresqlSettings(Resource):
    """No setting of PostgreSQL by ALTER SYSTEM; what the files declare is what runs.

    ``cluster`` is Debian's, such as ``15/main``. ``settings`` are those of the files: one that
    differs in the running server, or waits for a restart, is a difference.
    """

    kind = "postgresql-settings"
    named_by = "cluster"
    cluster: str
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Place(Resource):
    """The TCP port of a service, which no other program has, and its data, which are no other's.

    ``pid_file`` and ``unit`` tell its own process. Where ``configuration`` has not ``sign``, what
    ``data`` hold is somebody else's.
    """

    kind = "place"
    named_by = "name"
    name: str
    port: int
    pid_file: str
    unit: str
    configuration: str = ""
    sign: str = ""
    data: tuple[str, ...] = ()
    early: bool = True
    """Looked at before packages are installed: where it is another's, they are not."""


@dataclass(frozen=True, kw_only=True)
class PostgresqlCluster(Resource):
    """A cluster (``version/name``) that is the environment's: it bears the mark, or is refused."""

    kind = "postgresql-cluster"
    named_by = "cluster"
    cluster: str
    encoding: str
    locale: str
    options: tuple[str, ...]
    """Of ``initdb``, for a cluster that is made."""


@dataclass(frozen=True, kw_only=True)
class LeftData(Resource):
    """Data of the environment that the host's earlier role left on it: told, never changed."""

    kind = "left-data"
    postgresql: bool
    """Whether a cluster of the environment has no business here."""
    directories: tuple[str, ...]
    """Which have none here either, if they are this owner's and lie on this host."""
    uid: int


@dataclass(frozen=True, kw_only=True)
class Exports(Resource):
    """What the NFS kernel server exports now is what /etc/exports* say."""

    kind = "exports"


@dataclass(frozen=True, kw_only=True)
class Resolvers(Resource):
    """The DNS servers that the host asks: some of these, and no other."""

    kind = "resolvers"
    servers: tuple[str, ...]
    early: bool = True
    """Packages come from names."""


@dataclass(frozen=True, kw_only=True)
class Names(Resource):
    """No line of others in /etc/hosts gives one of these names an address; it is asked first."""

    kind = "names"
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Ways(Resource):
    """No other way to become root: preloading, PAM, open places, programs with root's rights."""

    kind = "ways"
    guard: bool = True


@dataclass(frozen=True, kw_only=True)
class Strangers(Resource):
    """What others run or leave on the host is told: jobs, units, keys, sources of packages."""

    kind = "strangers"
    declared: tuple[str, ...] = ()
    """Paths of files that are ours."""
    keys: tuple[str, ...] = ()
    """Public keys that the site has."""
    read: tuple[str, ...] = ()
    """Accounts of which sshd reads the keys in the home directory."""


@dataclass(frozen=True, kw_only=True)
class SshSocket(Resource):
    """sshd is a service that always runs, and not started by a socket."""

    kind = "ssh-socket"


@dataclass(frozen=True, kw_only=True)
class Silence(Resource):
    """No file of others ends the way of logs or updates. The paths are those of our own files."""

    kind = "silence"
    journal: str
    syslog: str


@dataclass(frozen=True, kw_only=True)
class Programs(Resource):
    """The programs that let people in, give rights, close ports and send logs are the packages'."""

    kind = "programs"
