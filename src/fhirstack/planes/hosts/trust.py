"""Host keys: asked from each machine on the way, and kept where they are the right ones."""

import base64
import hashlib
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fhirstack.errors import FhirstackError, UnreachableError
from fhirstack.planes.hosts.ssh import Connections, Target, failure
from fhirstack.planes.hosts.ssh_said import steadily


@dataclass(frozen=True, slots=True)
class HostKey:
    """A machine's public key, as a line of known_hosts, and its fingerprint."""

    target: Target
    line: str

    @property
    def fingerprint(self) -> str:
        """Return ``SHA256:…``, as ssh shows it."""
        return fingerprint(self.line)

    @property
    def declared(self) -> bool:
        """Whether it is the key whose fingerprint the site has."""
        return self.target.host_key == self.fingerprint


def fingerprint(line: str) -> str:
    """Return the fingerprint of the key on a line of known_hosts."""
    digest = hashlib.sha256(base64.b64decode(line.split()[2])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def known(connections: Connections) -> dict[str, str]:
    """Return the lines of known_hosts by name."""
    if not connections.known_hosts.exists():
        return {}
    lines = connections.known_hosts.read_text().splitlines()
    return {line.split()[0]: line for line in lines if line and not line.startswith("#")}


def ensure(connections: Connections, names: Iterable[str]) -> list[str]:
    """Make the keys of machines known whose fingerprints the site has; others must be already.

    Returns the names whose keys were added. Raises UnreachableError for a machine that has
    neither, and for one that shows another key than the site says.
    """
    connections.prepare()
    added = []
    for target in connections.targets.values():
        if target.name in names and (key := _new(connections, target)):
            keep(connections, key)
            added.append(target.name)
    return added


def ensure_each(
    connections: Connections, names: Iterable[str]
) -> tuple[list[str], dict[str, FhirstackError]]:
    """Do the same for machines that do not lead to each other, all at once.

    Returns the names whose keys were added, and what is wrong with others: each by itself.
    """

    def one(name: str) -> HostKey | FhirstackError | None:
        try:
            return _new(connections, connections.targets[name])
        except FhirstackError as error:
            return error

    wanted = list(names)
    added: list[str] = []
    errors: dict[str, FhirstackError] = {}
    with ThreadPoolExecutor(max_workers=max(len(wanted), 1)) as pool:
        for name, found in zip(wanted, pool.map(one, wanted), strict=True):
            if isinstance(found, FhirstackError):
                errors[name] = found
            elif found:
                keep(connections, found)
                added.append(name)
    return added, errors


def _new(connections: Connections, target: Target) -> HostKey | None:
    """Return the key of a machine that is not known yet; None where it is."""
    line = known(connections).get(target.name)
    if line and target.host_key in (None, fingerprint(line)):
        return None
    if target.host_key is None:
        environment = connections.environment.name
        raise UnreachableError(
            "its host key is not known",
            where=target.name,
            remedy=f"`fhirstack trust -e {environment}`, or write its `host_key` in the site",
        )
    key = ask(connections, target)
    if not key.declared:
        raise UnreachableError(
            f"shows the host key {key.fingerprint}, the site says {target.host_key}",
            where=target.name,
            remedy="find out which machine answers; nothing was sent to it",
        )
    return key


def ask(connections: Connections, target: Target) -> HostKey:
    """Ask a machine for its key, without logging in. Those before it must be known.

    Raises UnreachableError where it does not answer.
    """
    return steadily(lambda: _ask(connections, target))


def _ask(connections: Connections, target: Target) -> HostKey:
    with tempfile.TemporaryDirectory() as directory:
        found = Path(directory) / "known_hosts"
        options = (
            "-o", "StrictHostKeyChecking=accept-new",
            "-o", f"UserKnownHostsFile={found}",
            "-o", "HashKnownHosts=no",
            "-o", "HostKeyAlgorithms=ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512",
            "-o", "PreferredAuthentications=none",
            "-o", "BatchMode=yes",
            "-o", "ControlMaster=no",
            "-o", "ControlPath=none",
        )  # fmt: skip
        done = subprocess.run(
            connections.command(target.name, "true", options=options),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        lines = found.read_text().splitlines() if found.exists() else []
    for line in lines:
        if line.split()[0] == target.name:
            return HostKey(target, line)
    raise failure(connections, target.name, done.stderr)


def keep(connections: Connections, key: HostKey) -> None:
    """Make a key known, in place of another of the same machine."""
    lines = known(connections) | {key.target.name: key.line}
    part = connections.known_hosts.with_suffix(".part")
    part.write_text("".join(f"{line}\n" for line in lines.values()))
    part.replace(connections.known_hosts)
