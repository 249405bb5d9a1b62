"""The hosts' names: what stands around our lines in /etc/hosts, and who is asked for names."""

import os
import stat

from fhirstack.planes.hosts.agent.base import Change, Resource, at, read, write
from fhirstack.planes.hosts.agent.files import Block, difference
from fhirstack.planes.hosts.agent.lines import MARK

_HOSTS = "/etc/hosts"
_SWITCH = "/etc/nsswitch.conf"
_ELSEWHERE = frozenset({"ldap", "sss", "winbind", "nis", "nisplus", "hesiod", "compat", "db"})


class Names(Resource):
    """No line of others gives our names another address, and /etc/hosts is asked before DNS."""

    kind = "names"

    def plan(self) -> "list[Change]":
        changes = []
        for path, wanted, reason in (
            (_HOSTS, self.hosts(), "other lines give our names other addresses"),
            (_SWITCH, self.switch(), "/etc/hosts is not asked first for names"),
        ):
            text = read(path)
            if text is not None and text != wanted:
                diff = difference(text, wanted)
                changes.append(Change(f"file:{path}", "update", reason=reason, diff=diff))
        for base in ("passwd", "group", "shadow", "sudoers"):
            others = _ELSEWHERE & set(_sources(read(_SWITCH) or "", base))
            if others:
                reason = (
                    f"{base} also comes from {', '.join(sorted(others))}: nothing of it is seen"
                )
                changes.append(Change(f"file:{_SWITCH}", "report", reason=reason))
        return changes

    def hosts(self) -> str:
        """Return /etc/hosts without our names in lines that are not ours."""
        ours, names, kept = False, set(self.spec["names"]), []
        for line in (read(_HOSTS) or "").splitlines(keepends=True):
            ours = (ours or line.strip() == Block.begin) and line.strip() != Block.end
            words = line.partition("#")[0].split()
            if not ours and names & set(map(str.lower, words[1:])):
                kept.append(MARK + line)
                left = [word for word in words[1:] if word.lower() not in names]
                kept += [f"{words[0]} {' '.join(left)}\n"] if left else []
            else:
                kept.append(line)
        return "".join(kept)

    def switch(self) -> str:
        """Return nsswitch.conf with ``files`` as the first that is asked for hosts."""
        lines = (read(_SWITCH) or "").splitlines(keepends=True)
        for number, line in enumerate(lines):
            words = _sources(line, "hosts")
            # myhostname knows only the host's own name, and mymachines none of ours.
            before = words[: words.index("files")] if "files" in words else words
            if (words and set(before) - {"myhostname", "mymachines"}) or (
                words and "files" not in words
            ):
                rest = line.partition(":")[2].partition("#")[0].split()
                rest = [word for word in rest if word != "files"]
                lines[number] = f"hosts:          {' '.join(['files', *rest])}\n"
        return "".join(lines)

    def apply(self, changes: "list[Change]") -> None:
        for path, text in ((_HOSTS, self.hosts()), (_SWITCH, self.switch())):
            before = read(path)
            if before is not None and text != before:
                found = os.stat(at(path))
                write(path, text, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def _sources(text: str, base: str) -> "list[str]":
    """Return who is asked for a base of names, in order."""
    for line in text.splitlines():
        name, colon, rest = line.partition("#")[0].partition(":")
        if colon and name.strip() == base:
            return [word for word in rest.split() if not word.startswith("[")]
    return []
