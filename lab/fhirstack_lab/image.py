"""What all labs share, made once in the cache: the base, the mirror, the internet host's layer.

Each is made under another name and then renamed: what has its name is whole.
"""

import fcntl
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from fhirstack_lab.mirror import MIRRORED, SERVICES, make_mirror
from fhirstack_lab.packages import QUIET, RELEASE, hosts_sources
from fhirstack_lab.places import cache_directory
from fhirstack_lab.run import run
from fhirstack_lab.say import say
from fhirstack_lab.trees import remove_tree

BASE = (
    "apt",
    "ca-certificates",
    "dbus",
    "iproute2",
    "iputils-ping",
    "kmod",
    "nftables",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
    "systemd",
    "systemd-sysv",
)
ACCOUNT, ACCOUNT_ID = "fhirstack", 1000
_LEFT_OUT = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/info/*",
)
_FINISH = f"""\
set -e
chroot "$1" useradd --create-home --uid {ACCOUNT_ID} --shell /bin/bash {ACCOUNT}
printf '%s ALL=(ALL) NOPASSWD:ALL\\n' {ACCOUNT} >"$1/etc/sudoers.d/90-cloud"
chmod 440 "$1/etc/sudoers.d/90-cloud"
printf 'force-unsafe-io\\n' >"$1/etc/dpkg/dpkg.cfg.d/lab"
chroot "$1" systemctl --quiet mask getty@tty1.service console-getty.service getty.target \\
  systemd-udevd.service systemd-udev-trigger.service \\
  e2scrub_reap.service e2scrub_all.timer fstrim.timer
rm -f "$1"/etc/ssh/ssh_host_*_key* "$1/etc/hostname" "$1/etc/resolv.conf"
rm -f "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/var/log/*.log
: >"$1/etc/machine-id"
"""

_PRIVATE = ("unshare", "--mount", "--propagation", "private")
"""Mounts that are made while the image is made end with the program that made them."""


@dataclass(frozen=True)
class Image:
    """The shared directories of one description."""

    directory: Path

    @property
    def base(self) -> Path:
        """The root that every host begins with."""
        return self.directory / "base"

    @property
    def mirror(self) -> Path:
        """The package repository that the hosts use."""
        return self.directory / "mirror"

    @property
    def services(self) -> Path:
        """What lies over the base in the host that plays the internet."""
        return self.directory / "services"


def image() -> Image:
    """Return the image of what is described here, made or not."""
    described = json.dumps([RELEASE, BASE, MIRRORED, SERVICES, _LEFT_OUT, _FINISH])
    key = hashlib.sha256(described.encode()).hexdigest()[:16]
    return Image(cache_directory() / f"lab-{key}")


def make_image() -> Image:
    """Make what is missing; another lab that makes it too is waited for. Raises LabError."""
    wanted = image()
    if wanted.directory.exists():
        return wanted
    wanted.directory.parent.mkdir(parents=True, exist_ok=True)
    with (wanted.directory.parent / ".lab.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return wanted if wanted.directory.exists() else _make(wanted)


def _make(wanted: Image) -> Image:
    remove_parts()
    part = Image(wanted.directory.with_name(f".{wanted.directory.name}.part"))
    part.directory.mkdir()
    sources = part.directory / "sources.list"
    sources.write_text(hosts_sources().text())
    say("making the base of the hosts; only the first time …")
    _make_base(part.base, sources)
    say("copying packages to the lab's own repository …")
    make_mirror(part.mirror, part.base, sources)
    say("installing the services of the internet's host …")
    _make_services(part)
    part.directory.rename(wanted.directory)
    for other in set(cache_directory().glob("lab-*")) - {wanted.directory} - in_use():
        remove_tree(other)
    return wanted


def in_use(run: Path = Path("/run")) -> set[Path]:
    """Return the images, also of older descriptions, on which the hosts of labs lie that are up."""
    return {
        Path(layer).parent
        for owner in run.glob("*-owner")
        for state in owner.read_text().splitlines()[:1]
        for lower in Path(state).glob("hosts/*/lower")
        for layer in lower.read_text().strip().split(":")
    }


def remove_parts() -> None:
    """Remove what a run that was cut short left in the cache."""
    for leftover in cache_directory().glob(".lab-*.part"):
        remove_tree(leftover)


def _make_base(base: Path, sources: Path) -> None:
    options = [f"--dpkgopt={line}" for line in _LEFT_OUT]
    proxies = run(["apt-config", "dump", "--format", "%F|%v%n", "Acquire"]).splitlines()
    for name, _, value in (line.partition("|") for line in proxies):
        if "proxy" in name.lower() and value:
            options.append(f'--aptopt={name} "{value}"')
    run(
        [
            *_PRIVATE,
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--variant=minbase",
            f"--include={','.join(BASE)}",
            *options,
            f"--customize-hook={_FINISH}",
            RELEASE,
            base,
            sources,
        ],
        environment=QUIET,
        remedy="see that this machine reaches its package sources, then run this again",
    )


def _make_services(part: Image) -> None:
    """Install in an overlay of the base, in a mount namespace that ends with the program."""
    script = """
mkdir "$1/services" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$1/base,upperdir=$1/services,workdir=$1/work" "$1/root"
mkdir "$1/root/srv/mirror"
mount --bind "$1/mirror" "$1/root/srv/mirror"
mount -t proc proc "$1/root/proc"
mount --bind /dev "$1/root/dev"
printf '#!/bin/sh\\nexit 101\\n' >"$1/root/usr/sbin/policy-rc.d"
chmod 755 "$1/root/usr/sbin/policy-rc.d"
echo 'deb [trusted=yes] file:/srv/mirror ./' >"$1/root/etc/apt/sources.list"
chroot "$1/root" apt-get update --quiet
target=$1
shift
chroot "$target/root" apt-get install --yes --quiet --no-install-recommends "$@"
rm -rf "$target/root/etc/apt/sources.list" "$target/root/usr/sbin/policy-rc.d" \\
  "$target"/root/var/lib/apt/lists/* "$target"/root/var/cache/apt/*
umount "$target/root/srv/mirror" "$target/root/proc" "$target/root/dev" "$target/root"
rm -r "$target/work" "$target/root"
"""
    run([*_PRIVATE, "sh", "-ec", script, "sh", part.directory, *SERVICES], environment=QUIET)
