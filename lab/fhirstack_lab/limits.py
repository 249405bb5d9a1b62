"""The one setting of the machine that the lab changes, while it is up.

All hosts share the machine's root, and with it one count of inotify instances: the usual 128 is
enough for about thirty bare hosts, or for fewer with a kubelet. Hosts see the machine's own value.
"""

from collections.abc import Iterable
from pathlib import Path

from fhirstack_lab.places import OWNER, State

_NAME = "fs/inotify/max_user_instances"
_FILE = Path("/proc/sys") / _NAME
_WANTED = 8192


def raise_limit(state: State) -> None:
    """Note whose lab this is and what the limit was, then raise it."""
    before = int(_FILE.read_text())
    part = OWNER.with_name(f".{OWNER.name}.part")
    part.write_text(f"{state.path}\n{before}\n")
    part.replace(OWNER)
    if before < _WANTED:
        _FILE.write_text(str(_WANTED))


def _noted() -> str:
    lines = OWNER.read_text().splitlines() if OWNER.exists() else []
    return lines[1] if len(lines) > 1 else ""


def restore_limit() -> None:
    """Give the machine its own limit again."""
    if noted := _noted():
        _FILE.write_text(noted)


def settings(names: Iterable[str]) -> str:
    """Return the lines of a host's settings: a name, and a value where it is not the present."""
    noted = _noted()
    return "".join(
        f"{name} {noted}\n" if name == _NAME and noted else f"{name}\n" for name in names
    )
