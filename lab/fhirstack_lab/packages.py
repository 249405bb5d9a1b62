"""The machine's own packages and its sources of Debian's packages."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from fhirstack_lab.run import run
from fhirstack_lab.say import LabError, say

RELEASE = "bookworm"
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
    """Lines of sources.list for Debian's release, as this machine is configured."""

    lines: tuple[str, ...]

    def text(self) -> str:
        """Return them as a file."""
        return "\n".join(self.lines) + "\n"


def machine_sources() -> Sources:
    """Return this machine's own sources of the lab's release. Raises LabError."""
    lists = Path("/var/lib/apt/lists")
    if not any(lists.glob(f"*{RELEASE}*Packages*")):
        run(["apt-get", "update", "--quiet"], environment=QUIET)
    form = "$(ORIGIN)|$(CODENAME)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    found: dict[tuple[str, str], list[str]] = {}
    rows = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    for row in rows.splitlines():
        origin, codename, uri, release, component = row.split("|")
        if origin == "Debian" and codename.partition("-")[0] == RELEASE:
            components = found.setdefault((uri, release), [])
            if component not in components:
                components.append(component)
    if not found:
        raise LabError(
            f"apt on this machine has no source of Debian {RELEASE}",
            "add one below /etc/apt/sources.list.d and run `apt-get update`",
        )
    key = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    option = f"[signed-by={key}] " if key.exists() else ""
    return Sources(
        tuple(
            f"deb {option}{uri} {release} {' '.join(components)}"
            for (uri, release), components in found.items()
        )
    )
