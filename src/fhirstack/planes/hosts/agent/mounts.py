"""File systems: in fstab, and mounted."""

import os
import re
import stat

from fhirstack.planes.hosts.agent.base import AgentError, Change, Resource, at, read, run, write
from fhirstack.planes.hosts.agent.files import difference

FSTAB = "/etc/fstab"
_FLAGS = {"ro", "noexec", "nosuid", "nodev"}
"""Options that are compared with what is mounted: the kernel names them as fstab does."""
_IMPLIES_FLAGS = {"user", "users", "owner", "group"}


class Mounted:
    """A line of /proc/self/mountinfo."""

    def __init__(self, line: str) -> None:
        first, _, second = line.partition(" - ")
        fields, rest = first.split(), second.split()
        self.device = fields[2]
        """The kernel's number of the file system."""
        self.place = decoded(fields[4])
        self.type = rest[0]
        self.source = decoded(rest[1])
        self.options = {*fields[5].split(","), *"".join(rest[2:3]).split(",")}


def mounts() -> "list[Mounted]":
    """Return all that is mounted; of what is at one place, the uppermost last."""
    return [Mounted(line) for line in (read("/proc/self/mountinfo") or "").splitlines()]


def mounted(path: str) -> "list[Mounted]":
    """Return what is mounted at a path, the uppermost last."""
    return [one for one in mounts() if one.place == path]


def holders(path: str) -> "list[Mounted]":
    """Return the file systems that lie at a path or above it: the uppermost last, `/` first."""
    found = [one for one in mounts() if f"{path}/".startswith(f"{one.place.rstrip('/')}/")]
    # What was mounted later at one place lies above; a sort keeps that order.
    return sorted(found, key=lambda one: len(one.place))


def write_fstab(text: str) -> None:
    """Replace fstab as a whole. The units that systemd made of the old one are renewed."""
    found = os.stat(at(FSTAB)) if os.path.exists(at(FSTAB)) else None
    mode = stat.S_IMODE(found.st_mode) if found else 0o644
    write(FSTAB, text, mode)
    run(["systemctl", "daemon-reload"], check=False)


def decoded(word: str) -> str:
    """Return a path as it is, of how mountinfo and fstab write it."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), word)


def _encoded(word: str) -> str:
    return re.sub(r"[\s\\]", lambda match: f"\\{ord(match[0]):03o}", word)


def _device(source: str) -> str:
    """Return one name of a device that has many; of anything else its own."""
    kind, _, value = source.partition("=")
    if kind in ("UUID", "LABEL", "PARTUUID", "PARTLABEL"):
        source = f"/dev/disk/by-{kind.lower()}/{value.strip(chr(34))}"
    return os.path.realpath(at(source)) if source.startswith("/dev/") else source.rstrip("/")


class Mount(Resource):
    """One file system: its line in fstab, and mounted now."""

    kind = "mount"

    def merged(self, text: str) -> str:
        """Return the text of fstab with exactly our line for the path."""
        spec = self.spec
        words = (_encoded(spec[name]) for name in ("source", "path", "type", "options"))
        line = " ".join([*words, "0", "0"])
        lines = text.splitlines()
        place = next((i for i, each in enumerate(lines) if self.is_for_path(each)), len(lines))
        rest = [each for each in lines if not self.is_for_path(each)]
        return "\n".join([*rest[:place], line, *rest[place:], ""])

    def is_for_path(self, line: str) -> bool:
        """Return whether a line of fstab is about the path."""
        words = line.split()
        path = decoded(words[1]) if len(words) > 1 and not words[0].startswith("#") else ""
        return path != "" and os.path.normpath(path) == self.spec["path"]

    def fault(self) -> str:
        """Return how what is mounted differs; empty where it does not."""
        path, options = self.spec["path"], set(self.spec["options"].split(","))
        found = mounted(path)
        waits = "x-systemd.automount" in options and bool(found) and found[-1].type == "autofs"
        real = [each for each in found if each.type != "autofs"]
        if not real:
            return "" if waits or "noauto" in options else "it is not mounted"
        if not self.is_wanted(real[-1]):
            return f"{real[-1].source} ({real[-1].type}) is mounted there"
        if not options & _IMPLIES_FLAGS and options & _FLAGS != real[-1].options & _FLAGS:
            return "it is mounted with " + (", ".join(sorted(real[-1].options & _FLAGS)) or "rw")
        return ""

    def is_wanted(self, found: Mounted) -> bool:
        """Return whether what is mounted is what is declared."""
        source, path = at(self.spec["source"]), at(self.spec["path"])
        if {"bind", "rbind"} & set(self.spec["options"].split(",")):
            return os.path.exists(source) and os.path.samefile(source, path)
        # An NFS mount of any version is declared as nfs, and version 4 is told as nfs4.
        types = {"nfs", "nfs4"} if self.spec["type"] == "nfs" else {self.spec["type"]}
        return found.type in types and _device(found.source) == _device(self.spec["source"])

    def plan(self) -> "list[Change]":
        text = read(FSTAB) or ""
        wanted, fault = self.merged(text), self.fault()
        if text == wanted and not fault:
            return []
        action = "update" if any(map(self.is_for_path, text.splitlines())) else "create"
        return [self.change(action, reason=fault, diff=difference(text, wanted))]

    def apply(self, changes: "list[Change]") -> None:
        path, fault = self.spec["path"], self.fault()
        if fault.endswith("is mounted there"):
            raise AgentError(f"{path}: {fault}: unmount it by hand; nothing was changed")
        os.makedirs(at(path), exist_ok=True)
        text = read(FSTAB) or ""
        if self.merged(text) != text:
            write_fstab(self.merged(text))
        if fault == "it is not mounted":
            run(["mount", path])
        elif fault:
            # The flags that are off now have to be named too: remounting alone keeps them.
            run(["mount", "-o", "remount," + self.flags(), path])

    def flags(self) -> str:
        """Return each flag that is compared, set or unset as declared."""
        options = set(self.spec["options"].split(","))
        unset = {"ro": "rw", "noexec": "exec", "nosuid": "suid", "nodev": "dev"}
        return ",".join(f if f in options else unset[f] for f in sorted(_FLAGS))
