"""What an error of the system means on a host, and what to do about it."""

import errno
import fcntl
import os
import struct

from fhirstack.planes.hosts.agent.base import at
from fhirstack.planes.hosts.agent.mounts import holders

_GET_FLAGS = 0x80086601
"""FS_IOC_GETFLAGS, of linux/fs.h."""
_IMMUTABLE, _APPEND = 0x10, 0x20
"""FS_IMMUTABLE_FL and FS_APPEND_FL: ``chattr +i`` and ``+a``."""


def words(problem: Exception) -> str:
    """Return an error for people: what, where, and the remedy where it is known."""
    if not isinstance(problem, OSError):
        return str(problem)
    paths = [p for p in (problem.filename, problem.filename2) if isinstance(p, str)]
    text = f"{problem.strerror}: {paths[-1]}" if paths else str(problem)
    remedy = _remedy(problem.errno or 0, paths or [""])
    return f"{text}: {remedy}" if remedy else text


def _remedy(number: int, paths: "list[str]") -> str:
    path = paths[-1]
    if number in (errno.EPERM, errno.EACCES):
        for place in [*paths, *map(os.path.dirname, paths)]:
            if place and (letter := _locked(place)):
                return f"`chattr -{letter} {place}` lets it be changed"
    if number == errno.EROFS:
        top = mount_point(path)
        return (
            f"{top} is mounted read-only: look in `journalctl -k` for a failing disk; where it is"
            f" whole, `mount -o remount,rw {top}`"
        )
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"free some: {_fullness(path)}"
    return ""


def _locked(path: str) -> str:
    """Return the letter of chattr's attribute that keeps a file from being changed."""
    try:
        handle = os.open(at(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        flags = struct.unpack("l", fcntl.ioctl(handle, _GET_FLAGS, struct.pack("l", 0)))[0]
    except OSError:
        return ""
    finally:
        os.close(handle)
    return "i" if flags & _IMMUTABLE else "a" if flags & _APPEND else ""


def mount_point(path: str) -> str:
    """Return the file system that a path is on, by where it is mounted."""
    found = holders(os.path.abspath(path or "/"))
    return found[-1].place if found else "/"


def _fullness(path: str) -> str:
    try:
        found = os.statvfs(at(os.path.dirname(path) or "/"))
    except OSError:
        return "`df -h; df -i`"
    top = mount_point(path)
    if not found.f_favail and found.f_files:
        return f"no inode is left on {top} (`df -i {top}`)"
    return f"{found.f_bavail * found.f_frsize:,} bytes are left on {top} (`df -h {top}`)"
