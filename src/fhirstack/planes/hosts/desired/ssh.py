"""SSH: who gets in to a host, and how. Every mistake here may lock people out: all is guarded."""

from fhirstack.model.access import LEAST_RSA_BITS
from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.inputs import Inputs
from fhirstack.planes.hosts.desired.releases import release
from fhirstack.planes.hosts.resources import (
    Directory,
    File,
    Package,
    Resource,
    Service,
    SshSocket,
    User,
)

KEYS = "/etc/ssh/authorized_keys.d"
CONFIGURATION = "/etc/ssh/sshd_config"
_OPTIONS = "/etc/default/ssh"
"""What the unit adds to sshd's command line: `-o` there wins over the whole sshd_config."""


def ssh(environment: Environment, host: Host, _: Inputs) -> tuple[Resource, ...]:
    """Return the accounts of the tool and of people, their keys, sudo, and sshd's settings."""
    access = environment.access
    keys = {person.name: person.keys for person in access.administrators}
    if access.keys:
        keys[access.user] = access.keys
    files = tuple(
        File(path=f"{KEYS}/{name}", content="".join(f"{key}\n" for key in lines), guard=True)
        for name, lines in keys.items()
    )
    return (
        Package(name="openssh-server"),
        Package(name=release(host).sudo),
        SshSocket(),
        *(User(name=name, guard=True) for name in access.accounts),
        File(
            path="/etc/sudoers.d/fhirstack",
            content=_sudoers(access.accounts),
            mode="0440",
            validate=("visudo", "-c", "-f", "{}"),
            guard=True,
            needs=(f"package:{release(host).sudo}",),
        ),
        # The sudo that is written in Rust reads it in the other's place, where it is there.
        File(path="/etc/sudoers-rs", content=None, guard=True),
        Directory(
            path="/etc/sudoers.d",
            mode="0750",
            exclusive="*",
            keep=("README", "fhirstack"),
            guard=True,
        ),
        Directory(path=KEYS, exclusive="*", keep=tuple(sorted(keys)), guard=True),
        *files,
        File(
            path=CONFIGURATION,
            content=render_sshd(environment, host),
            validate=("/usr/sbin/sshd", "-t", "-f", "{}"),
            guard=True,
            needs=("package:openssh-server",),
        ),
        File(
            path=_OPTIONS,
            # As the package has it.
            content="# Default settings for openssh-server. This file is sourced by /bin/sh from\n"
            "# /etc/init.d/ssh.\n\n# Options to pass to sshd\nSSHD_OPTS=\n",
            guard=True,
            needs=("package:openssh-server",),
        ),
        Service(
            name="ssh",
            watch=(f"file:{_OPTIONS}",),
            reload_watch=(f"file:{CONFIGURATION}",),
            guard=True,
        ),
    )


def _sudoers(accounts: tuple[str, ...]) -> str:
    lines = [f"{name} ALL=(ALL:ALL) NOPASSWD: ALL" for name in accounts]
    return "\n".join(["# No account has a password that sudo could ask for.", *lines, ""])


def render_sshd(environment: Environment, host: Host) -> str:
    """Return the whole ``sshd_config``: nothing of a cloud image's own files is read."""
    access = environment.access
    lines = [
        f"Port {environment.ssh_port(host)}",
        "LogLevel VERBOSE",
        f"AllowUsers {' '.join(access.accounts)}",
        "PermitRootLogin no",
        "AuthenticationMethods publickey",
        "PubkeyAuthentication yes",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitEmptyPasswords no",
        "HostbasedAuthentication no",
        "GSSAPIAuthentication no",
        f"AuthorizedKeysFile {KEYS}/%u",
        "UsePAM yes",
        "UseDNS no",
        "PrintMotd no",
        "LoginGraceTime 30",
        "# All hosts at once come through the load balancer.",
        "MaxStartups 50:30:100",
        "MaxSessions 60",
        *_penalties(environment, host),
        "ClientAliveInterval 30",
        "ClientAliveCountMax 4",
        "X11Forwarding no",
        "AllowAgentForwarding no",
        "AllowStreamLocalForwarding no",
        "GatewayPorts no",
        "PermitTunnel no",
        "PermitUserEnvironment no",
        "PermitUserRC no",
        *_forwarding(environment, host),
        "# Taken from each release's own list, so that newer and better ones stay in it.",
        "KexAlgorithms -diffie-hellman-*,ecdh-*",
        "Ciphers -*-cbc,3des-*",
        "MACs -umac-64*,hmac-sha1*,hmac-sha2-256,hmac-sha2-512,umac-128@openssh.com",
        f"RequiredRSASize {LEAST_RSA_BITS}",
    ]
    if not access.keys:
        # The site has no key of the tool's account: those that are there go on to serve.
        lines += [
            f"Match User {access.user}",
            f"    AuthorizedKeysFile {KEYS}/%u .ssh/authorized_keys",
        ]
    return "\n".join([*lines, ""])


def _forwarding(environment: Environment, host: Host) -> list[str]:
    """Let the load balancer be the way to all others' sshd, and to nothing else."""
    if host.role is not Role.LOAD_BALANCER:
        return ["AllowTcpForwarding no"]
    places = [
        f"{place}:{environment.ssh_port(item)}"
        for item in environment.hosts
        if item.name != host.name
        for place in (
            *(f"[{a}]" if a.version == 6 else str(a) for a in item.addresses),
            item.name,
            environment.internal_name(item),
        )
    ]
    return [
        "AllowTcpForwarding local",
        f"PermitOpen {' '.join(places)}",
    ]


def _penalties(environment: Environment, host: Host) -> list[str]:
    """Exempt the way in: newer servers shut out an address, and here one is everybody's."""
    if not release(host).ssh_penalties:
        return []
    bastion = environment.network.bastion
    way: tuple[object, ...] = environment.network.administrators
    if bastion and host.role is Role.LOAD_BALANCER:
        way = bastion.addresses
    elif bastion:
        way = tuple(a for b in environment.hosts_of(Role.LOAD_BALANCER) for a in b.addresses)
    return [f"PerSourcePenaltyExemptList {','.join(map(str, way))}"]
