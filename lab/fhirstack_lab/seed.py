"""The files that make the base one certain host: a layer between the base and what it writes."""

import hashlib
import os
import uuid
from collections.abc import Mapping
from pathlib import Path

from fhirstack_lab import limits
from fhirstack_lab.image import ACCOUNT, ACCOUNT_ID, Image
from fhirstack_lab.kernel import SETTINGS, cpu_range, cpuinfo, meminfo
from fhirstack_lab.keys import make_key
from fhirstack_lab.places import CODE
from fhirstack_lab.roles import role_files
from fhirstack_lab.run import write
from fhirstack_lab.topology import MIRROR_NAME, RESOLVER, Host

OWN = "usr/lib/fhirstack-lab"
"""Where a host keeps what is not of a real machine."""

_SYSCTL = """\
# systemd writes over a setting without truncating it, which is right for the kernel's only.
[Service]
ExecStartPost=/bin/sh -c 'cd /run/fhirstack-lab && find . -type f | while read -r file; do \\
  line=$(head -n 1 "$file"); printf "%%s\\\\n" "$line" >"$file"; done'
"""

_CHRONY = """\
# No host of the lab may set the machine's clock: -x, and no condition on the capability.
[Unit]
ConditionCapability=

[Service]
EnvironmentFile=/usr/lib/fhirstack-lab/chrony
"""

_UNITS = {
    "usr/lib/systemd/system/systemd-sysctl.service.d/lab.conf": _SYSCTL,
    "usr/lib/systemd/system/chrony.service.d/lab.conf": _CHRONY,
}


def write_seed(
    host: Host,
    directory: Path,
    image: Image,
    authorized: str,
    certificates: Mapping[str, tuple[str, str]],
) -> str:
    """Write a host's layer, once: it keeps its identity. Return its public host key.

    ``certificates``: of the lab's own servers by name, each with its key.
    """
    files = {
        "etc/hostname": f"{host.name}\n",
        "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {host.name}\n::1 localhost ip6-localhost\n",
        "etc/resolv.conf": f"nameserver {RESOLVER}\n",
        "etc/apt/sources.list": (
            f"deb [signed-by=/usr/share/keyrings/lab.gpg] http://{MIRROR_NAME}/ ./\n"
        ),
        **_UNITS,
        # A package of its own, as far as who looks for the files of packages is concerned: below
        # /etc they would be what an administrator did by hand.
        "var/lib/dpkg/info/fhirstack-lab.md5sums": "".join(
            f"{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}  {path}\n"
            for path, text in _UNITS.items()
        ),
        f"{OWN}/chrony": "DAEMON_OPTS='-F 1 -x'\n",
        f"{OWN}/settings": limits.settings(SETTINGS),
        f"{OWN}/meminfo": meminfo(host.memory),
        f"{OWN}/cpuinfo": cpuinfo(host.cpu, Path("/proc/cpuinfo").read_text()),
        f"{OWN}/cpus": cpu_range(host.cpu),
        **role_files(host, certificates),
    }
    if not (directory / "etc/machine-id").exists():
        files["etc/machine-id"] = uuid.uuid4().hex + "\n"
    for path, text in files.items():
        write(directory / path, text, 0o600 if path.endswith(".key") else 0o644)
    write(directory / OWN / "init", (CODE / "init.py").read_text(), 0o755)
    key = directory / "usr/share/keyrings/lab.gpg"
    key.parent.mkdir(parents=True, exist_ok=True)
    key.write_bytes((image.mirror / "lab.gpg").read_bytes())
    _mask(directory)
    _enable(directory)
    _account(directory / "home" / ACCOUNT, authorized)
    (directory / "etc/ssh").mkdir(exist_ok=True)
    return make_key(directory / "etc/ssh/ssh_host_ed25519_key", f"root@{host.name}")


def _mask(directory: Path) -> None:
    """Mask what cannot work: nfs-common wants a file system that this kernel may not have."""
    unit = directory / "etc/systemd/system/run-rpc_pipefs.mount"
    if "rpc_pipefs" not in Path("/proc/filesystems").read_text() and not unit.is_symlink():
        unit.parent.mkdir(parents=True, exist_ok=True)
        unit.symlink_to("/dev/null")


def _enable(directory: Path) -> None:
    """Link the units of the layer to what wants them."""
    units = directory / "etc/systemd/system"
    for unit in units.glob("*.service"):
        wanted = unit.read_text().partition("WantedBy=")[2].split()[0]
        link = units / f"{wanted}.wants" / unit.name
        link.parent.mkdir(exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(f"/etc/systemd/system/{unit.name}")


def _account(home: Path, authorized: str) -> None:
    write(home / ".ssh/authorized_keys", authorized + "\n", 0o600)
    home.chmod(0o700)
    (home / ".ssh").chmod(0o700)
    for path in (home, home / ".ssh", home / ".ssh/authorized_keys"):
        os.chown(path, ACCOUNT_ID, ACCOUNT_ID)
