"""A local stack: its one directory, its name and its ports."""

import json
import os
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fhirstack.errors import UnreachableError, UsageError
from fhirstack.planes.local.account import Account, make_directory, write_file
from fhirstack.services.workload import Endpoint

DEFAULT_NAME = "fhirstack"
FIRST_PORT_BASE = 18400
PORT_BLOCK = 100
HOST = "127.0.0.1"
FORMAT = 1

OFFSETS = {
    ("keycloak", "http"): 1,
    ("keycloak", "management"): 2,
    ("fhir-server", "http"): 3,
    ("fhir-server", "management"): 4,
    ("fhir-gateway", "http"): 5,
    ("fhir-gateway", "management"): 6,
    ("fhir-web", "http"): 30,
    ("postgresql", "sql"): 32,
    ("edge", "https"): 43,
    ("redis", "redis"): 79,
    ("edge", "http"): 80,
    ("superset", "http"): 88,
    ("sync", "metrics"): 90,
}
"""Each port's place in the stack's block, like its usual number: 18443 is https."""

DIRECTORIES = ("config", "data", "log", "run", "secrets", "tls")


@dataclass(frozen=True)
class Stack:
    """Where a stack lives, which block of ports it has, and what it was asked to run.

    ``analytics``: also the warehouse, its pipelines and Superset. ``fhir_web``: where FHIR Web
    lies unpacked or built, or ''.
    """

    name: str
    root: Path
    port_base: int
    analytics: bool = True
    fhir_web: str = ""

    def path(self, *parts: str) -> Path:
        """Return a path inside the stack's directory."""
        return self.root.joinpath(*parts)

    @property
    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Every port of the stack, all on loopback."""
        return {key: Endpoint(HOST, self.port_base + place) for key, place in OFFSETS.items()}

    def port(self, service: str, port: str) -> int:
        """Return the number of a service's port."""
        return self.port_base + OFFSETS[service, port]


def stacks_directory() -> Path:
    """Return where stacks lie: ``FHIRSTACK_HOME``, else the system's or the user's data place."""
    if named := os.environ.get("FHIRSTACK_HOME"):
        return Path(named).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/fhirstack")
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local/share")
    return Path(data) / "fhirstack"


def option(name: str) -> str:
    """Return the option that names a stack in a command, with a space before; none if usual."""
    return "" if name == DEFAULT_NAME else f" --name {name}"


def check_name(name: str) -> str:
    """Return the name if it can be a DNS label. Raises UsageError."""
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?", name):
        raise UsageError(
            f'"{name}" cannot be a stack\'s name',
            remedy="Use lower-case letters, digits and dashes: at most 30, a letter first.",
        )
    return name


def find(name: str) -> Stack | None:
    """Return the stack of this name, or None. Raises UnreachableError for a broken one."""
    root = stacks_directory() / check_name(name)
    record = root / "stack.json"
    try:
        data = json.loads(record.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise UnreachableError(
                f"made by another version of fhirstack (format {data['format']})",
                where=str(record),
                remedy="Use that version, or `down --delete-data` with it.",
            )
        return Stack(
            name,
            root,
            int(data["port_base"]),
            analytics=bool(data.get("analytics", True)),
            fhir_web=str(data.get("fhir_web", "")),
        )
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise UnreachableError(
            "belongs to another user", where=str(root), remedy="Run as the user who made it."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UnreachableError(
            "is not a stack's record any more",
            where=str(record),
            remedy='Put back {"format": 1, "port_base": N}, N as in config/edge/haproxy.cfg.',
        ) from error


def others(name: str) -> list[Stack]:
    """Return the other stacks of this user, running or not."""
    root = stacks_directory()
    names = [path.parent.name for path in root.glob("*/stack.json")]
    return [stack for other in sorted(names) if other != name and (stack := find(other))]


def new(name: str, port_base: int | None) -> Stack:
    """Return a stack of this name, with the first free block of ports if none is named."""
    base = port_base if port_base is not None else _free_block(name)
    return Stack(name, stacks_directory() / check_name(name), base)


def record(stack: Stack, owner: Account) -> None:
    """Write the stack's record and make its directories."""
    for directory in DIRECTORIES:
        make_directory(stack.path(directory), owner)
    data = {
        "format": FORMAT,
        "name": stack.name,
        "port_base": stack.port_base,
        "analytics": stack.analytics,
        "fhir_web": stack.fhir_web,
    }
    write_file(stack.path("stack.json"), (json.dumps(data) + "\n").encode(), owner)


def check_port_base(base: int) -> int:
    """Return the base if its block fits. Raises UsageError."""
    if not 1024 <= base <= 65535 - PORT_BLOCK:
        raise UsageError(f"port base {base} is out of range", remedy="Use 1024 to 65435.")
    return base


def is_free(port: int) -> bool:
    """Tell whether nobody listens on this port of loopback (or of all addresses)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_block(name: str) -> int:
    taken = {stack.port_base for stack in others(name)}
    bases: Iterable[int] = range(FIRST_PORT_BASE, FIRST_PORT_BASE + 40 * PORT_BLOCK, PORT_BLOCK)
    for base in bases:
        if base not in taken and all(is_free(base + place) for place in OFFSETS.values()):
            return base
    raise UnreachableError(
        "no free block of ports was found", remedy="Name one: --port-base 30000."
    )
