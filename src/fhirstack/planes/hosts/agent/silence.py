"""Files of others that end what protects: logs that stop, updates that do not come."""

import os
import re

from fhirstack.planes.hosts.agent.base import Change, Resource, entries, read, run
from fhirstack.planes.hosts.agent.files import put_away
from fhirstack.planes.hosts.agent.lines import parts

_STOPS = re.compile(
    r"(\*\.(\*|debug)\s+|:\w+\s*,\s*contains\s*,\s*\"\"\s*)?(stop|~)", re.IGNORECASE
)
_APT = re.compile(
    r"(APT::Periodic::(Enable|Update-Package-Lists|Unattended-Upgrade)\s+\"?0"
    r"|Unattended-Upgrade::(Origins-Pattern|Allowed-Origins|Package-Blacklist)\b"
    r"|#clear\s+Unattended-Upgrade"
    r"|(AllowUnauthenticated|AllowInsecureRepositories|AllowDowngradeToInsecureRepositories"
    r"|AllowWeakRepositories|Trivially-Trusted)\s+\"?(1|true|yes|on)"
    r"|Verify-(Peer|Host)\s+\"?(0|false|no|off)"
    r"|Check-Valid-Until\s+\"?(0|false|no|off))",
    re.IGNORECASE,
)
_OWN_APT = "52fhirstack"
_PACKAGES_APT = frozenset({"01autoremove", "20auto-upgrades", "50unattended-upgrades", "70debconf"})


class Silence(Resource):
    """Nobody else ends the way of logs or of security updates: such files are moved away."""

    kind = "silence"

    def plan(self) -> "list[Change]":
        return [
            Change(f"file:{path}", "delete", reason=f"{reason}; it is moved away")
            for path, reason in self.found()
        ]

    def apply(self, changes: "list[Change]") -> None:
        paths = [path for path, _ in self.found()]
        for path in paths:
            put_away(path)
        # Who reads such a file may have read it already.
        for part, unit in (("/journald.conf.d/", "systemd-journald"), ("/rsyslog.d/", "rsyslog")):
            if any(part in path for path in paths):
                run(["systemctl", "try-restart", unit])

    def found(self) -> "list[tuple[str, str]]":
        """Return the files, each with what it ends."""
        return [*journal(self.spec["journal"]), *syslog(self.spec["syslog"]), *updates()]


def journal(ours: str) -> "list[tuple[str, str]]":
    """Return files of journald that are read after ours and keep messages from rsyslog."""
    found = []
    for path in parts("systemd/journald.conf.d"):
        if os.path.basename(path) <= os.path.basename(ours) or path.startswith(("/usr/", "/lib/")):
            continue
        for line in (read(path) or "").splitlines():
            key, _, value = (part.strip().lower() for part in line.partition("="))
            if key == "forwardtosyslog" and value not in ("yes", "1", "true", "on", "y", "t"):
                found.append((path, "it keeps the journal from rsyslog"))
            elif key == "storage" and value != "persistent":
                found.append((path, "it keeps no journal on the disk"))
            elif key in ("maxlevelsyslog", "maxlevelstore") and value not in ("debug", "7"):
                found.append((path, "it leaves messages out"))
    return [one for number, one in enumerate(found) if one[0] not in {p for p, _ in found[:number]}]


def syslog(ours: str) -> "list[tuple[str, str]]":
    """Return files of rsyslog that are read before ours and stop every message."""
    directory, name = os.path.split(ours)
    paths = [f"{directory}/{n}" for n in entries(directory) if n.endswith(".conf") and n < name]
    return [(p, "it stops every message before it is sent") for p in paths if stops(read(p) or "")]


def stops(text: str) -> bool:
    """Tell whether rsyslog's rules end the way of all messages, and not of chosen ones.

    ``& stop`` and what stands in braces, or after a filter, is about chosen ones.
    """
    depth = 0
    for line in text.splitlines():
        plain = line.partition("#")[0].strip()
        if depth == 0 and _STOPS.fullmatch(plain):
            return True
        depth += plain.count("{") - plain.count("}")
    return False


def updates() -> "list[tuple[str, str]]":
    """Return files of apt that are read after ours and turn off updates or their checking."""
    directory = "/etc/apt/apt.conf.d"
    # apt skips names with other letters, and other endings than .conf (apt.conf(5)).
    read_by_apt = [n for n in entries(directory) if re.fullmatch(r"[\w-]+(\.conf)?", n)]
    paths = [f"{directory}/{n}" for n in read_by_apt if n not in {_OWN_APT, *_PACKAGES_APT}]
    found = []
    for path in [*paths, "/etc/apt/apt.conf"]:
        text = re.sub(r"(?m)^\s*(//|#(?!clear)).*$", "", read(path) or "")
        for match in _APT.finditer(_flat(text)):
            later = os.path.basename(path) > _OWN_APT or path == "/etc/apt/apt.conf"
            checking = "Unattended" not in match[0] and "Periodic" not in match[0]
            if later or checking:
                what = "checking of packages" if checking else "security updates"
                found.append((path, f"it changes {what}: {match[0].strip()}"))
                break
    return found


def _flat(text: str) -> str:
    """Return apt's blocks as full names: ``A { B "x"; };`` is ``A::B "x";``."""
    out, stack, word = [], [], ""
    for piece in re.findall(r'"[^"]*"|[{};]|[^\s{};"]+', text):
        if piece == "{":
            stack.append(word.split(" ", maxsplit=1)[0])
            word = ""
        elif piece == "}":
            stack = stack[:-1]
            word = ""
        elif piece == ";":
            if word:
                out.append("::".join([*filter(None, stack), word]))
            word = ""
        else:
            word = f"{word} {piece}".strip()
    return "\n".join([*out, word])
