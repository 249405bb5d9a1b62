"""Lines that others wrote and that undo ours: made comments, so that who wrote them finds them."""

import os
import stat
from typing import Callable

from fhirstack.planes.hosts.agent.base import at, read, write

MARK = "# fhirstack took this away: "


def parts(kind: str) -> "list[str]":
    """Return the files of a ``.d`` directory as systemd and kmod read them, in their order.

    By name, whatever directory they are in; of one name, the first of /etc, /run, /usr/local/lib
    and /usr/lib counts (sysctl.d(5), modprobe.d(5)).
    """
    found: dict[str, str] = {}
    for top in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"):
        directory = f"{top}/{kind}"
        try:
            names = os.listdir(at(directory))
        except OSError:
            continue
        for name in names:
            if name.endswith(".conf"):
                found.setdefault(name, f"{directory}/{name}")
    return [found[name] for name in sorted(found)]


def without(text: str, unwanted: "Callable[[str], bool]") -> str:
    """Return a text with the lines that are not wanted as comments."""
    lines = text.splitlines(keepends=True)
    return "".join(MARK + line if unwanted(line) else line for line in lines)


def quiet(path: str, unwanted: "Callable[[str], bool]") -> None:
    """Make lines of a file comments. What a package brought is shadowed by a copy in /etc."""
    text = without(read(path) or "", unwanted)
    place = os.path.realpath(at(path))
    found = os.stat(place)
    path = place[len(at("")) :]
    for top in ("/usr/local/lib/", "/usr/lib/", "/lib/"):
        if path.startswith(top):
            path = "/etc/" + path[len(top) :]
    os.makedirs(os.path.dirname(at(path)), exist_ok=True)
    write(path, text, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
