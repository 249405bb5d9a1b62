"""Facts of a machine: its system, sizes, file systems, kernel and clock."""

import ctypes
import json
import os
import re
from typing import Any

from fhirstack.planes.hosts.agent.base import AgentError, at, read, run
from fhirstack.planes.hosts.agent.mounts import mounts

_DISK_TYPES = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "jfs"})
_REMOTE_TYPES = frozenset({"nfs", "nfs4", "cifs", "ceph", "glusterfs", "fuse.glusterfs"})
_NOT_OF_FILES = ("/proc/", "/sys/", "/dev/", "/run/", "/snap/")
_TIME_SERVICES = frozenset({"chronyd", "ntpd", "systemd-timesyn", "openntpd"})
"""As /proc/<pid>/comm has them: 15 characters at most."""
_UNSYNCHRONISED = 0x40
"""STA_UNSYNC of <sys/timex.h>."""
_STATUS_AT = 40
"""Where ``status`` stands in struct timex where a long has eight bytes."""
_TRY = "add table inet fhirstack_preflight\n"


def system() -> "dict[str, str]":
    """Return the distribution's id, release and full name, from os-release."""
    found = {}
    for line in (read("/etc/os-release") or "").splitlines():
        key, _, value = line.partition("=")
        found[key] = value.strip().strip("\"'")
    return {
        "id": found.get("ID", ""),
        "version": found.get("VERSION_ID", ""),
        "name": found.get("PRETTY_NAME", ""),
    }


def cores() -> "int | None":
    """Return how many processors the kernel shows."""
    text = read("/proc/cpuinfo") or ""
    return len(re.findall(r"^processor\s*:", text, re.MULTILINE)) or None


def memory() -> "int | None":
    """Return the bytes of memory that the kernel has for use."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", read("/proc/meminfo") or "", re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def swap() -> "list[str]":
    """Return the files and devices that are in use as swap."""
    return [line.split()[0] for line in (read("/proc/swaps") or "").splitlines()[1:]]


def filesystems() -> "list[dict[str, Any]]":
    """Return the file systems that hold files on disks or elsewhere, in the order of mounting."""
    found = []
    for one in mounts():
        where, kind, source = one.place, one.type, one.source
        if kind not in _DISK_TYPES | _REMOTE_TYPES and not (kind == "overlay" and where == "/"):
            continue
        if where.startswith(_NOT_OF_FILES) or not os.path.isdir(at(where)):
            continue  # A file that is mounted over another, or gone.
        try:
            size = os.statvfs(at(where))
        except OSError:
            continue
        found.append(
            {
                "mount": where,
                "type": kind,
                "source": source,
                "remote": kind in _REMOTE_TYPES,
                "total": size.f_blocks * size.f_frsize,
                "free": size.f_bavail * size.f_frsize,
            }
        )
    return found


def real(path: str) -> str:
    """Return where a path leads that need not be there, through symbolic links."""
    found = os.path.realpath(at(path))
    return found[len(at("")) :] or "/"


def disks() -> "dict[str, int]":
    """Return the bytes of each disk that is a device of its own."""
    found = {}
    top = at("/sys/block")
    for name in sorted(os.listdir(top)) if os.path.isdir(top) else ():
        if os.path.exists(f"{top}/{name}/device") and not name.startswith(("sr", "fd")):
            found[name] = int(read(f"/sys/block/{name}/size") or 0) * 512
    return found


def addresses() -> "list[str] | None":
    """Return all addresses of the host; None where they cannot be told."""
    try:
        links = json.loads(run(["ip", "-j", "addr"], timeout=10).stdout)
    except (AgentError, ValueError):
        return None
    return [one["local"] for link in links for one in link.get("addr_info", ()) if "local" in one]


def virtualisation() -> "str | None":
    """Return what the machine runs in, as systemd names it; ``none`` for bare metal."""
    try:
        return run(["systemd-detect-virt"], timeout=10, check=False).stdout.strip() or None
    except AgentError:
        return None


def module(name: str) -> "bool | None":
    """Return whether the kernel has a module or can load it; None where nothing tells."""
    if os.path.isdir(at(f"/sys/module/{name}")):
        return True
    filesystem = rf"^(?:nodev)?\s+{re.escape(name)}$"
    if re.search(filesystem, read("/proc/filesystems") or "", re.MULTILINE):
        return True
    if name == "br_netfilter" and os.path.isdir(at("/proc/sys/net/bridge")):
        return True
    if name == "nf_tables" and _nft():
        return True
    release = (read("/proc/sys/kernel/osrelease") or "").strip()
    lists = [read(f"/lib/modules/{release}/modules.{kind}") for kind in ("builtin", "dep")]
    if lists[1] is None:
        return None
    lines = "\n".join(text or "" for text in lists).splitlines()
    return name in {
        os.path.basename(line.partition(":")[0]).partition(".")[0].replace("-", "_")
        for line in lines
    }


def _nft() -> bool:
    """Return whether the kernel takes a rule set. It is checked and not applied."""
    try:
        return run(["nft", "-c", "-f", "-"], text=_TRY, timeout=10, check=False).returncode == 0
    except AgentError:
        return False


def synchronised() -> "bool | None":
    """Return whether the kernel's clock is kept by a time service; None where it cannot be told."""
    if ctypes.sizeof(ctypes.c_long) != 8:
        return None
    buffer = ctypes.create_string_buffer(512)
    # With all bytes zero it reads, and sets nothing.
    if ctypes.CDLL(None, use_errno=True).adjtimex(buffer) < 0:
        return None
    status = int.from_bytes(buffer.raw[_STATUS_AT : _STATUS_AT + 4], "little")
    return not status & _UNSYNCHRONISED


def time_services() -> "list[str]":
    """Return the names of time services that run."""
    found = set()
    for entry in os.listdir(at("/proc")):
        if entry.isdigit():
            try:
                found.add((read(f"/proc/{entry}/comm") or "").strip())
            except OSError:
                continue
    return sorted(found & _TIME_SERVICES)
