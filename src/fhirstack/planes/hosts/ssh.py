"""SSH to the hosts of an environment: OpenSSH itself, our configuration before the user's.

The way in is the page's: bastion (through others, if need be), load balancer, host; or none, where
a VPN leads to the hosts. One connection to the load balancer is shared by all hosts. Host keys are
known by the site's fingerprint or by `trust`, and strict.
"""

import os
import shlex
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fhirstack.bundle.cache import digest_of
from fhirstack.errors import FhirstackError, UnreachableError, UsageError
from fhirstack.model.base import IpAddress
from fhirstack.model.host import Role
from fhirstack.model.site import Environment
from fhirstack.planes.hosts import place as places
from fhirstack.planes.hosts import ssh_settings
from fhirstack.planes.hosts.ssh_said import explained, steadily

CONNECT_SECONDS = 20
PERSIST_SECONDS = 60
"""A shared connection stays so long after its last use: the next command is quick."""


@dataclass(frozen=True, slots=True)
class Target:
    """A machine that is reached by SSH, and through which other one."""

    name: str
    address: IpAddress | str
    """An address, or a name that the machine before it knows."""
    user: str
    host_key: str | None = None
    """``SHA256:…``, where the site says it."""
    through: str | None = None
    """The name of the target before it on the way."""
    port: int = 22


def targets(environment: Environment) -> dict[str, Target]:
    """Return every machine of an environment that SSH reaches, by name, each after its way."""
    network, user = environment.network, environment.access.user
    found = {target.name: target for target in _way(environment)}
    before = next(reversed(found), None)
    (entry,) = environment.hosts_of(Role.LOAD_BALANCER)
    for host in (entry, *(host for host in environment.hosts if host is not entry)):
        address: IpAddress = host.address
        through = None
        if before:
            address = network.public_address if host is entry else host.address
            through = before if host is entry else entry.name
        found[host.name] = Target(
            host.name, address, user, host.host_key, through, environment.ssh_port(host)
        )
    for point in network.vantage_points:
        name = f"{environment.name}-{point.name}"
        found[name] = Target(name, point.address, point.user, point.host_key, port=point.port)
    return found


def _way(environment: Environment) -> Iterator[Target]:
    """Yield the machines before the load balancer; none where the hosts are reached directly."""
    bastion = environment.network.bastion
    if bastion is None:
        return
    before = None
    for number, jump in enumerate(bastion.through, 1):
        name = f"{environment.name}-jump-{number}"
        yield Target(name, jump.address, jump.user, jump.host_key, before, jump.port)
        before = name
    name = f"{environment.name}-bastion"
    address = bastion.reach or bastion.address
    yield Target(name, address, bastion.user, bastion.host_key, before, bastion.port)


def entrance(environment: Environment) -> tuple[str, ...]:
    """Return the names of the machines that all others are reached through, the first first."""
    if environment.network.bastion is None:
        return ()
    (entry,) = environment.hosts_of(Role.LOAD_BALANCER)
    return tuple(target.name for target in chain(targets(environment), entry.name))


def chain(known: dict[str, Target], name: str) -> list[Target]:
    """Return the targets on the way to one, itself the last."""
    target = known[name]
    return [*(chain(known, target.through) if target.through else []), target]


@dataclass(frozen=True)
class Connections:
    """How the machines of one environment are reached from this one."""

    environment: Environment
    site: Path
    """The site file: other paths are relative to its directory."""

    @property
    def directory(self) -> Path:
        """Where what the tool keeps of an environment lies, beside the site file if it can."""
        return places.place(self.site, self.environment.name)

    @property
    def known_hosts(self) -> Path:
        """The host keys that are trusted."""
        return self.directory / "known_hosts"

    @property
    def configuration(self) -> Path:
        """The OpenSSH configuration that is generated."""
        return self.directory / "ssh_config"

    @property
    def targets(self) -> dict[str, Target]:
        """Every machine that SSH reaches."""
        return targets(self.environment)

    def prepare(self) -> None:
        """Write the configuration. Raises FhirstackError where a path does not serve."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.known_hosts.touch(mode=0o644)
        if self.directory != places.beside(self.site, self.environment.name):
            held = self.known_hosts.read_text()
            text = places.known_hosts(self.site, self.environment.name, held)
            if text != held:
                self._write(self.known_hosts, text)
        text = render(
            self.environment,
            self.known_hosts,
            self._named(self.environment.access.identity, "identity"),
            self._named(self.environment.access.ssh_config, "ssh_config"),
            _sockets(),
        )
        if not self.configuration.exists() or self.configuration.read_text() != text:
            self._write(self.configuration, text)

    def _write(self, path: Path, text: str) -> None:
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(text)
        part.chmod(0o600)
        part.replace(path)

    def _named(self, path: str | None, key: str) -> Path | None:
        if path is None:
            return None
        try:
            found = self.site.resolve().parent / Path(path).expanduser()
        except RuntimeError:
            found = Path(path)  # Whose home it is cannot be told: there is no such file.
        if not found.is_file():
            raise UsageError(
                f"access.{key}: there is no file {found}",
                where=str(self.site),
                remedy="name a file that is there; paths are relative to the site file",
            )
        return found

    def command(self, name: str, *words: str, options: tuple[str, ...] = ()) -> list[str]:
        """Return the command line that runs words on a machine. Nothing secret may be in it.

        The machine is named by its address: so what the user's own configuration says for it
        holds, as it does where OpenSSH itself jumps through it.
        """
        remote = [shlex.join(words)] if words else []
        address = str(self.targets[name].address)
        return ["ssh", "-F", str(self.configuration), *options, address, *remote]

    def open(self) -> None:
        """Open the connection to the load balancer that all others go through.

        Raises UnreachableError with what ssh says.
        """
        for name in entrance(self.environment)[-1:]:
            ssh(self, name)

    def renew(self) -> None:
        """Let no new session use the shared connection to the load balancer.

        One that was made before a change of its sshd goes on with the old settings; sessions that
        are open, of whoever, stay.
        """
        for entry in self.environment.hosts_of(Role.LOAD_BALANCER):
            self._control(entry.name, "stop")

    def leave(self, name: str) -> None:
        """End the shared connection to one machine."""
        self._control(name, "exit")

    def close(self) -> None:
        """End the shared connections."""
        for name in self.targets:
            self._control(name, "exit")

    def _control(self, name: str, word: str) -> None:
        subprocess.run(
            self.command(name, options=("-O", word)),
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )


def ssh(connections: Connections, name: str) -> None:
    """Make sure that a machine is reached. Raises UnreachableError with what ssh says."""
    steadily(lambda: _ssh(connections, name))


def _ssh(connections: Connections, name: str) -> None:
    done = subprocess.run(
        connections.command(name, "true", options=("-o", "BatchMode=yes")),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise failure(connections, name, done.stderr)


def failure(connections: Connections, name: str, said: str) -> FhirstackError:
    """Return what ssh said of the way to a machine, as an error with its remedy."""
    way = [target.name for target in chain(connections.targets, name)]
    return explained(connections.environment.name, way, said)


def render(
    environment: Environment,
    known_hosts: Path,
    identity: Path | None,
    further: Path | None,
    sockets: Path,
) -> str:
    """Return the OpenSSH configuration. What comes first holds: the user's own follows ours.

    A machine stands under its name and its address, so that what the user's own configuration
    says for an address (a ProxyCommand, a user's key) is honoured.
    """
    known = targets(environment)
    # Two environments may have a machine each at one private address: a connection to the one must
    # never carry what is meant for the other.
    own = digest_of(str(known_hosts.absolute()).encode())[:8]
    blocks = []
    for target in known.values():
        lines = [
            f"Host {target.name} {target.address}",
            f"  HostName {target.address}",
            f"  HostKeyAlias {target.name}",
            f"  Port {target.port}",
            f"  User {target.user}",
        ]
        if target.through:
            lines.append(f"  ProxyJump {known[target.through].address}")
        if identity:
            lines += [f'  IdentityFile "{identity}"', "  IdentitiesOnly yes"]
            if not ssh_settings.needs_agent(identity):
                # An agent's keys come before a file's, whatever their order here.
                lines.append("  IdentityAgent none")
        lines += [
            *ssh_settings.lines(),
            f'  UserKnownHostsFile "{known_hosts}"',
            f"  ConnectTimeout {CONNECT_SECONDS}",
            f'  ControlPath "{sockets}/{own}-%C"',
            f"  ControlPersist {PERSIST_SECONDS}",
        ]
        blocks.append("\n".join(lines))
    includes = [str(further)] if further else []
    includes += ["~/.ssh/config", "/etc/ssh/ssh_config"]
    return (
        f"# Made by fhirstack from the site, for {environment.name}: do not edit.\n"
        + "\n".join(blocks)
        + "\nHost *\n"
        + "".join(f'  Include "{path}"\n' for path in includes)
    )


_SOCKET_BYTES = 108 - 1 - len("/" + 8 * "x" + "-" + 40 * "x" + "." + 16 * "x")
"""Of a directory for sockets: their paths have 108 bytes at most, and ssh adds to the digest that
names one while it is made."""


def _sockets() -> Path:
    """Return a private directory with a short path, the first of a few that serves.

    Raises UnreachableError where none does.
    """
    user = os.geteuid()
    places = [Path(f"/tmp/fhirstack-{user}{end}") for end in ("", "-2", "-3")]  # noqa: S108
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if base.startswith("/") and _is_own(Path(base)):
        places.insert(0, Path(base) / "fhirstack")
    for place in places:
        if len(os.fsencode(place)) > _SOCKET_BYTES:
            continue
        with suppress(OSError):
            place.mkdir(mode=0o700, exist_ok=True)
        if _is_own(place, private=True):
            return place
    raise UnreachableError(
        "none of these is a directory that only you can enter",
        where=", ".join(map(str, places)),
        remedy=f"remove {places[-1]}, or set XDG_RUNTIME_DIR to a directory of yours",
    )


def _is_own(path: Path, *, private: bool = False) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return own and not (private and found.st_mode & 0o077)
