"""Proof of the NFS storage: it is used from every host, and serves those alone that write backups.

Each host writes a file and reads it back, as root and as nobody. The server tells to whom each file
that came belongs, and removes it: so what squashes is seen where it happens.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from fhirstack.errors import FhirstackError, UnreachableError, UsageError
from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.agent.shares import name_of
from fhirstack.planes.hosts.calls import Answer, call, call_all
from fhirstack.planes.hosts.desired.clients import clients
from fhirstack.planes.hosts.desired.nfs import ACCOUNT_ID, PORT, WRITERS
from fhirstack.planes.hosts.ssh import Connections

USERS = (0, 65534)
"""Root, and nobody: both are squashed to the account of backups."""
SECONDS = 600
"""A server that has just started serves nobody for a minute and a half."""
_NOTHING = "no host that is allowed was served: that others are not proves nothing"


@dataclass(frozen=True, slots=True)
class Used:
    """One user of one host, and what became of its file."""

    host: str
    user: int
    allowed: bool
    served: bool
    owner: tuple[int, int] | None
    """Of the file on the server; None where none came."""
    said: str = ""

    @property
    def wrong(self) -> str:
        """What is not as declared; empty where all is."""
        who = f"{self.host}, user {self.user}"
        if not self.allowed:
            came = self.served or self.owner is not None
            return f"{who}: is served, and is not allowed" if came else ""
        if not self.served:
            return f"{who}: is not served: {self.said or 'it read something else'}"
        if self.owner is None:
            return f"{who}: was served by another machine: its file is not on the server"
        if self.owner != (ACCOUNT_ID, ACCOUNT_ID):
            owner = ":".join(map(str, self.owner))
            return f"{who}: its file belongs to {owner}, not to {ACCOUNT_ID}:{ACCOUNT_ID}"
        return ""


@dataclass(frozen=True)
class Proof:
    """All that was tried, and what could not be."""

    server: str
    used: tuple[Used, ...]
    skipped: Mapping[str, str]

    @property
    def wrong(self) -> tuple[str, ...]:
        """What is not as declared."""
        return tuple(used.wrong for used in self.used if used.wrong)


def server_of(environment: Environment) -> tuple[Host, str]:
    """Return the NFS host and the path of backups. Raises UsageError where there is none."""
    hosts = environment.hosts_of(Role.NFS)
    if not hosts or environment.backups is None:
        raise UsageError(
            f"{environment.name} shares no storage: it has no NFS host, or no `backups`",
            remedy="write `backups: {path: …}` in the site",
        )
    return hosts[0], environment.backups.path


def allowed(environment: Environment, server: Host) -> frozenset[str]:
    """Return the names of the hosts that the server is to serve."""
    networks = clients(environment, server, PORT, WRITERS)
    return frozenset(
        host.name
        for host in environment.hosts
        if any(ip_address(str(own)) in network for own in host.addresses for network in networks)
    )


def prove(connections: Connections) -> Proof:
    """Use the storage from every host at once. Raises UnreachableError for a silent server."""
    environment = connections.environment
    server, path = server_of(environment)
    token = secrets.token_hex(8)
    users = [host.name for host in environment.hosts if host.name != server.name]
    shared = {"server": str(server.address), "path": path, "token": token, "users": USERS}
    requests = {name: {"mode": "share", "host": name, **shared} for name in users}
    try:
        answers = call_all(connections, requests, seconds=SECONDS)
    finally:
        taken = call(connections, server.name, {"mode": "take", "path": path, "token": token})
    if "files" not in taken:
        raise UnreachableError(
            f"what was written cannot be looked at: {taken.get('error')}",
            where=server.name,
            remedy=f"remove {path}/.fhirstack-{token}-* there",
        )
    return judged(environment, server, token, answers, taken["files"])


def judged(
    environment: Environment,
    server: Host,
    token: str,
    answers: Mapping[str, Answer | FhirstackError],
    files: Mapping[str, Any],
) -> Proof:
    """Return the proof of what the hosts say and the server has. Pure."""
    may = allowed(environment, server)
    used, skipped = [], {}
    for host, answer in answers.items():
        if isinstance(answer, FhirstackError):
            skipped[host] = answer.what
        elif "tries" not in answer:
            skipped[host] = str(answer.get("skipped") or answer.get("error"))
        else:
            for one in answer["tries"]:
                if host not in may and not one["served"] and not one["refused"]:
                    skipped[host] = f"was neither served nor refused: {one['said']}"
                owner = files.get(name_of(token, host, one["user"]))
                used.append(
                    Used(
                        host,
                        one["user"],
                        host in may,
                        one["served"],
                        (owner[0], owner[1]) if owner else None,
                        one["said"],
                    )
                )
    if not any(one.allowed and one.served for one in used):
        skipped |= {one.host: _NOTHING for one in used if not one.allowed and not one.wrong}
    return Proof(server.name, tuple(used), skipped)
