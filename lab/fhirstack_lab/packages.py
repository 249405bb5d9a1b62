"""The machine's own packages and its sources of Debian's packages."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from fhirstack_lab.run import run
from fhirstack_lab.say import LabError, say

RELEASE = "trixie"
"""Of the hosts: Debian 13, the nearest to the page's Ubuntu LTS. The machine's own may be older."""
QUIET = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}

_TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "mkfs.ext4": "e2fsprogs",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "gpg": "gnupg",
    "openssl": "openssl",
    "dpkg-scanpackages": "dpkg-dev",
}
"""Program: the Debian package that has it."""


def install_tools() -> None:
    """Install what is missing on the machine. Raises LabError."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    os.environ["PATH"] = path
    missing = sorted({package for tool, package in _TOOLS.items() if not shutil.which(tool)})
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise LabError(
            f"the packages {' '.join(missing)} are missing, and apt-get", "use Debian 12"
        )
    say(f"installing on this machine: {' '.join(missing)}")
    words = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    for command in (["apt-get", "update", "--quiet"], words):
        run(command, environment=QUIET, remedy="see that this machine reaches its package sources")


@dataclass(frozen=True)
class Sources:
    """Lines of sources.list for the hosts' release, from where this machine gets its own."""

    lines: tuple[str, ...]

    def text(self) -> str:
        """Return them as a file."""
        return "\n".join(self.lines) + "\n"


def hosts_sources() -> Sources:
    """Return this machine's sources of Debian, for the hosts' release. Raises LabError."""
    own = machine_codename()
    lists = Path("/var/lib/apt/lists")
    if not any(lists.glob(f"*{own}*Packages*")):
        run(["apt-get", "update", "--quiet"], environment=QUIET)
    form = "$(ORIGIN)|$(CODENAME)|$(REPO_URI)|$(COMPONENT)"
    rows = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    sources = of_release(rows, own)
    if not sources.lines:
        raise LabError(
            f"apt on this machine has no source of Debian {own}",
            "add one below /etc/apt/sources.list.d and run `apt-get update`",
        )
    return sources


def machine_codename() -> str:
    """Return the name of this machine's own release. Raises LabError where it is not Debian."""
    fields = dict(
        line.partition("=")[::2] for line in Path("/etc/os-release").read_text().splitlines()
    )
    if fields.get("ID") != "debian":
        raise LabError("this machine is not Debian: its apt has no source of it", "use Debian 12")
    return fields.get("VERSION_CODENAME", "")


def of_release(rows: str, own: str) -> Sources:
    """Return the sources of the hosts' release for apt's list of the machine's own. Pure.

    A row is ``origin|codename|address|component``; a codename is the release's name, or begins
    with it (``-updates``, ``-security``).
    """
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows.splitlines():
        origin, codename, uri, component = row.split("|")
        if origin == "Debian" and codename.partition("-")[0] == own:
            rest = codename.removeprefix(own)
            components = found.setdefault((uri, f"{RELEASE}{rest}"), [])
            if component not in components:
                components.append(component)
    key = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    option = f"[signed-by={key}] " if key.exists() else ""
    return Sources(
        tuple(
            f"deb {option}{uri} {suite} {' '.join(components)}"
            for (uri, suite), components in found.items()
        )
    )
