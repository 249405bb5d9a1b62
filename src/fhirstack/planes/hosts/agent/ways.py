"""Other ways in, which are closed.

Preloaded libraries, PAM that lets anybody in, what is root's and open to others, and programs with
root's rights that no package brought.
"""

import contextlib
import itertools
import os
import re
import stat
import struct
from collections.abc import Iterator

from fhirstack.planes.hosts.agent.base import Change, Resource, at, entries, read
from fhirstack.planes.hosts.agent.dpkg import unowned
from fhirstack.planes.hosts.agent.files import difference, put_away
from fhirstack.planes.hosts.agent.lines import quiet, without

_PRELOAD = "/etc/ld.so.preload"
_PAM = "/etc/pam.d"
_OPEN_PAM = re.compile(
    r"\s*-?auth\s+(sufficient|\[[^\]]*success=(done|\d+)[^\]]*\])\s+(\S*/)?pam_permit\.so"
)
"""Whoever comes to such a line is who he says. Debian's own have ``required`` at their end."""

ROOTS = (
    "/", "/etc", "/etc/ssh", "/etc/ssh/authorized_keys.d", "/etc/sudoers.d", "/etc/pam.d",
    "/etc/security", "/etc/systemd", "/etc/systemd/system", "/etc/cron.d", "/etc/cron.hourly",
    "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly", "/etc/apt", "/etc/apt/apt.conf.d",
    "/etc/apt/sources.list.d", "/etc/apt/keyrings", "/etc/profile.d", "/etc/default",
    "/etc/ld.so.conf.d", "/etc/sysctl.d", "/etc/modprobe.d", "/etc/rsyslog.d", "/root",
    "/root/.ssh", "/usr", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib/systemd",
    "/usr/lib/systemd/system", "/usr/local", "/usr/local/bin", "/usr/local/sbin", "/var",
    "/var/lib", "/var/lib/dpkg", "/var/lib/dpkg/info", "/var/spool/cron",
    "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/hosts", "/etc/nsswitch.conf",
    "/etc/crontab", "/etc/fstab", "/etc/ld.so.conf", "/etc/profile", "/etc/bash.bashrc",
)  # fmt: skip
"""What is root's, and nobody else may write to."""

_SECRET = ("/etc/shadow", "/etc/gshadow")

PROGRAMS = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt", "/tmp",  # noqa: S108
            "/var/tmp", "/dev/shm", "/root", "/home", "/srv", "/var/www")  # noqa: S108  # fmt: skip
"""Where programs with another's rights are looked for: in each, and one directory below."""
_MOST_FILES = 20_000

_KNOWN = frozenset(
    f"/usr/{place}"
    for place in (
        "bin/su", "bin/sudo", "bin/passwd", "bin/chage", "bin/chfn", "bin/chsh", "bin/expiry",
        "bin/gpasswd", "bin/newgrp", "bin/mount", "bin/umount", "bin/ssh-agent", "bin/crontab",
        "bin/fusermount3", "sbin/unix_chkpwd", "sbin/mount.nfs",
    )
)  # fmt: skip
"""What Debian's packages bring so: the lists of dpkg are read for others only."""

_STRONG = {0: "chown", 1: "dac_override", 2: "dac_read_search", 3: "fowner", 6: "setgid",
           7: "setuid", 16: "sys_module", 17: "sys_rawio", 19: "sys_ptrace", 21: "sys_admin",
           31: "setfcap"}  # fmt: skip
"""Capabilities that are as good as root's (capabilities(7), by number)."""


class Ways(Resource):
    """Nobody becomes root, or somebody else, but by sudo and SSH as they are declared."""

    kind = "ways"

    def plan(self) -> "list[Change]":
        changes = []
        if (read(_PRELOAD) or "").strip():
            reason = "its libraries are loaded into every program; it is moved away"
            changes.append(Change(f"file:{_PRELOAD}", "delete", reason=reason))
        for path in self.pam():
            text = read(path) or ""
            changes.append(
                Change(
                    f"file:{path}",
                    "update",
                    reason="pam_permit lets anybody in",
                    diff=difference(text, without(text, _lets_in)),
                )
            )
        for path, before, after in open_places():
            changes.append(
                Change(_address(path), "update", before=before, after=after, reason="it is root's")
            )
        found, unseen = privileged()
        for path, what in strange(found):
            changes.append(Change(f"file:{path}", "update", before=what, after="taken away"))
        reason = f"more than {_MOST_FILES:,} files: not all were looked at for root's rights"
        changes += [Change(f"directory:{place}", "report", reason=reason) for place in unseen]
        return changes

    def pam(self) -> "list[str]":
        """Return the files of PAM that let anybody in."""
        paths = [f"{_PAM}/{name}" for name in entries(_PAM) if os.path.isfile(at(f"{_PAM}/{name}"))]
        return [p for p in paths if any(map(_lets_in, (read(p) or "").splitlines()))]

    def apply(self, changes: "list[Change]") -> None:
        if (read(_PRELOAD) or "").strip():
            put_away(_PRELOAD)
        for path in self.pam():
            quiet(path, _lets_in)
        for path, _, after in open_places():
            if "owner" in after:
                os.chown(at(path), 0, 0)
            os.chmod(at(path), int(after["mode"], 8))
        for path, what in strange(privileged()[0]):
            if what.startswith("mode"):
                os.chmod(at(path), stat.S_IMODE(os.lstat(at(path)).st_mode) & 0o1777)
            else:
                os.removexattr(at(path), "security.capability", follow_symlinks=False)

    def guarded_paths(self) -> "list[str]":
        return self.pam()


def strange(found: "dict[str, str]") -> "list[tuple[str, str]]":
    """Return those programs with root's rights that no package brought so, and which they are."""
    foreign = unowned([p for p, what in found.items() if what.startswith("mode")])
    return [(p, w) for p, w in found.items() if not w.startswith("mode") or p in foreign]


def _lets_in(line: str) -> bool:
    return bool(_OPEN_PAM.match(line))


def _address(path: str) -> str:
    return f"{'directory' if os.path.isdir(at(path)) else 'file'}:{path}"


def open_places() -> "list[tuple[str, dict[str, str], dict[str, str]]]":
    """Return what others than root may write to, or read: as it is, and as it is to be."""
    found = []
    keys = [f"/etc/ssh/{n}" for n in entries("/etc/ssh") if re.fullmatch(r"ssh_host_\w+_key", n)]
    for path in (*ROOTS, *keys):
        try:
            there = os.lstat(at(path))
        except OSError:
            continue
        if stat.S_ISLNK(there.st_mode):
            continue
        mode = stat.S_IMODE(there.st_mode)
        wanted = mode & ~0o022
        if path in _SECRET:
            wanted &= ~0o027 | 0o040
        if path in keys or path == "/root/.ssh":
            wanted &= ~0o077
        before, after = {"mode": f"{mode:04o}"}, {"mode": f"{wanted:04o}"}
        if there.st_uid:
            before["owner"], after["owner"] = str(there.st_uid), "root"
        if before != after:
            found.append((path, before, after))
    return found


def privileged() -> "tuple[dict[str, str], list[str]]":
    """Return files that run as root, or with capabilities that are as good, and by what.

    Each place has a bound of its own, so that nobody hides something in one by filling another;
    with them the places that have more.
    """
    found: dict[str, str] = {}
    unseen = []
    for top in PROGRAMS:
        left = _MOST_FILES
        for directory in _with_subdirectories(top):
            for entry in itertools.islice(_scanned(directory), left + 1):
                left -= 1
                with contextlib.suppress(OSError):
                    path = f"{directory}/{entry.name}"
                    regular = entry.is_file(follow_symlinks=False)
                    if regular and path not in _KNOWN and (what := _rights(entry)):
                        found[path] = what
            if left < 0:
                unseen.append(top)
                break
    return found, unseen


def _with_subdirectories(top: str) -> "Iterator[str]":
    yield top
    for entry in _scanned(top):
        if entry.is_dir(follow_symlinks=False):
            yield f"{top}/{entry.name}"


def _scanned(directory: str) -> "Iterator[os.DirEntry[str]]":
    with contextlib.suppress(OSError), os.scandir(at(directory)) as found:
        yield from found


def _rights(entry: "os.DirEntry[str]") -> str:
    there = entry.stat(follow_symlinks=False)
    if not there.st_mode & 0o111:
        return ""
    if there.st_mode & stat.S_ISUID and there.st_uid == 0:
        return f"mode {stat.S_IMODE(there.st_mode):04o} of root"
    if there.st_mode & stat.S_ISGID and there.st_gid == 0:
        return f"mode {stat.S_IMODE(there.st_mode):04o} of the group root"
    try:
        held = os.getxattr(entry.path, "security.capability", follow_symlinks=False)
    except OSError:
        return ""
    return capabilities(held)


def capabilities(held: bytes) -> str:
    """Return the strong ones of a file's capabilities (linux/capability.h, revisions 1 to 3)."""
    if len(held) < 12:
        return ""
    low = struct.unpack("<I", held[4:8])[0] | struct.unpack("<I", held[8:12])[0]
    names = [f"cap_{name}" for number, name in _STRONG.items() if low & (1 << number)]
    return f"capabilities {', '.join(names)}" if names else ""
