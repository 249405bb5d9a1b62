"""Keys: the administrator's, each host's, and the files of ssh that name them."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from fhirstack_lab.image import ACCOUNT
from fhirstack_lab.network import NAMESPACES
from fhirstack_lab.places import CODE, State
from fhirstack_lab.run import run
from fhirstack_lab.topology import BASTION_ADDRESS, CONTROLLER, Host


def make_key(path: Path, comment: str) -> str:
    """Make a key pair where there is none and return its public half, a line."""
    if not path.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])
    return path.with_suffix(".pub").read_text().strip()


def make_certificate(path: Path, name: str) -> tuple[str, str]:
    """Make a certificate that is its own authority, where there is none; return it and its key."""
    key = path.with_suffix(".key")
    if not path.exists():
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "365"]
        names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
        run(["openssl", "req", "-x509", *kind, *names, "-keyout", key, "-out", path])
    return path.read_text(), key.read_text()


def fingerprint(public: str) -> str:
    """Return "SHA256:…" of a public key's line, as ssh shows it."""
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def known_hosts(keys: Mapping[str, str], hosts: list[Host]) -> str:
    """Return the lines of known_hosts: each host under its name and all its addresses."""
    lines = []
    for host in hosts:
        addresses = [address for each in host.interfaces for address in each.addresses]
        kind, key, *_ = keys[host.name].split()
        lines.append(f"{','.join([host.name, *addresses])} {kind} {key}")
    return "\n".join(lines) + "\n"


def ssh_config(state: State, hosts: list[Host]) -> str:
    """Return ssh's configuration: the one way from this machine into the lab."""
    relay = f"{CODE / 'relay.py'} %h %p {state.path / 'cut'}"
    enter = f"nsenter --net={NAMESPACES / CONTROLLER} /usr/bin/python3 {relay}"
    direct = [host for host in hosts if host.kind != "site"]
    balancer = next(host for host in hosts if len(host.interfaces) > 1)
    names = "".join(f"Host {host.name}\n  HostName {host.address}\n" for host in hosts)
    addresses = " ".join(f"{host.address} {host.name}" for host in direct)
    inside = " ".join(
        f"{host.address} {host.name}" for host in hosts if host.kind == "site" and host != balancer
    )
    return f"""\
# Written by lab/up. The way in: controller's namespace -> bastion -> load balancer -> host.
{names}
Host {addresses}
  ProxyCommand {enter}

Host {balancer.address} {balancer.name}
  ProxyJump {ACCOUNT}@{BASTION_ADDRESS}

Host {inside}
  ProxyJump {ACCOUNT}@{balancer.address}

Host *
  User {ACCOUNT}
  IdentityFile {state.identity}
  IdentitiesOnly yes
  UserKnownHostsFile {state.path / "known_hosts"}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
"""
