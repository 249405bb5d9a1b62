#!/usr/bin/python3 -IS
"""The first process of a host: gives it what a machine of its own has, then becomes systemd.

Runs in the host, before systemd, so that systemd finds all mounts made. Machine-wide settings of
the kernel are covered with files that hold the present value: what the host writes reaches no
other. Its processors and memory are files too.
"""

import ctypes
import os
import sys

OWN = "/usr/lib/fhirstack-lab"
FILES = "/run/fhirstack-lab"
_BIND, _REMOUNT, _RECURSIVE, _SHARED = 1 << 12, 1 << 5, 1 << 14, 1 << 20
_CPU = "/sys/devices/system/cpu"
_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, flags: int) -> None:
    """Mount; say what fails, and go on: a host that starts can be looked at."""
    if _libc.mount(source.encode(), target.encode(), None, flags, None):
        error = os.strerror(ctypes.get_errno())
        print(f"lab: mount of {source} on {target}: {error}", file=sys.stderr, flush=True)


def cover_settings() -> None:
    """Put a writable file over each setting of the whole machine that the kernel has."""
    with open(f"{OWN}/settings") as names:
        for line in names:
            name, _, given = line.strip().partition(" ")
            try:
                with open(f"/proc/sys/{name}") as setting:
                    value = f"{given}\n" if given else setting.read()
            except OSError:
                continue  # this kernel has none, or shows it to nobody
            file = f"{FILES}/{name}"
            os.makedirs(os.path.dirname(file), exist_ok=True)
            with open(file, "w") as own:
                own.write(value)
            mount(file, f"/proc/sys/{name}", _BIND)


def main() -> None:
    """Make the mounts, then become systemd."""
    cover_settings()
    for name in ("cpuinfo", "meminfo"):
        mount(f"{OWN}/{name}", f"/proc/{name}", _BIND)
    for name in ("online", "present", "possible"):
        mount(f"{OWN}/cpus", f"{_CPU}/{name}", _BIND)
    # systemd-nspawn mounts the controllers read-only; containers need them, and a shared root.
    if not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        for name in os.listdir("/sys/fs/cgroup"):
            if not os.path.islink(f"/sys/fs/cgroup/{name}"):
                mount("none", f"/sys/fs/cgroup/{name}", _REMOUNT | _BIND)
    mount("none", "/", _SHARED | _RECURSIVE)
    systemd = "/usr/lib/systemd/systemd"
    # Where the machine has the old control groups, systemd 257 starts on them only if told so; on
    # a machine with the new ones the word does nothing. It is an argument, as pid 1 reads the
    # kernel's command line from its own in a container.
    os.execv(systemd, [systemd, "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"])  # noqa: S606


if __name__ == "__main__":
    main()
