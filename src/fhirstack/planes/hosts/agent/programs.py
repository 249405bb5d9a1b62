"""Programs that we rely on are those that their packages brought."""

import hashlib
import os

from fhirstack.planes.hosts.agent.base import Change, Resource, at
from fhirstack.planes.hosts.agent.dpkg import digests, owner_list
from fhirstack.planes.hosts.agent.packages import reinstall

_RELIED_ON = {
    "openssh-server": ("/usr/sbin/sshd", "/usr/lib/openssh/sshd-session",
                       "/usr/lib/openssh/sshd-auth"),
    "sudo": ("/usr/bin/sudo", "/usr/sbin/visudo"),
    "nftables": ("/usr/sbin/nft",),
    "systemd": ("/usr/lib/systemd/systemd", "/usr/bin/systemctl"),
    "bash": ("/usr/bin/bash",),
    "dash": ("/usr/bin/dash",),
    "util-linux": ("/usr/bin/su",),
    "login": ("/usr/bin/login",),
    "rsyslog": ("/usr/sbin/rsyslogd",),
}  # fmt: skip
"""By package: who lets people in, gives rights, closes ports, and sends logs."""


class Programs(Resource):
    """Programs whose content is their package's.

    One that has not been touched since its package was unpacked is not read: the kernel's time of
    its last change, which no program can set, is before that of the package's list of files.
    """

    kind = "programs"

    def plan(self) -> "list[Change]":
        reason = "it is not what {} brought: that is installed again"
        return [
            Change(f"file:{path}", "update", reason=reason.format(package), disrupts=True)
            for package, paths in self.changed().items()
            for path in paths
        ]

    def apply(self, changes: "list[Change]") -> None:
        reinstall(list(self.changed()))

    def changed(self) -> "dict[str, list[str]]":
        """Return the programs that are not their packages', by package."""
        found = {}
        for package, paths in _RELIED_ON.items():
            wrong = _wrong(package, paths)
            if wrong:
                found[package] = wrong
        return found


def _wrong(package: str, paths: "tuple[str, ...]") -> "list[str]":
    listed = owner_list(package)
    if not listed:
        return []
    unpacked = os.stat(at(listed)).st_ctime_ns
    touched = [p for p in paths if os.path.exists(at(p)) and _changed(p) > unpacked]
    if not touched:
        return []
    known = digests(package)
    # A package from before /bin went to /usr/bin lists its files there.
    told = {path: known.get(path) or known.get(path.removeprefix("/usr")) for path in touched}
    return [path for path, digest in told.items() if digest and digest != _digest(path)]


def _changed(path: str) -> int:
    return os.stat(at(path)).st_ctime_ns


def _digest(path: str) -> str:
    whole = hashlib.md5(usedforsecurity=False)
    with open(at(path), "rb") as stream:
        while part := stream.read(1 << 20):
            whole.update(part)
    return whole.hexdigest()
