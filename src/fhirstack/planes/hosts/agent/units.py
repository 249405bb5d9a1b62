"""Which files make a unit of systemd what it is: those on the disk, which the next boot reads.

A unit is its package's file, and what we declare. Drop-ins of others, a file that shadows the
package's, one that was edited in place and another default target are told by their paths. No
process is asked: what systemd has loaded may be older than the disk.
"""

import hashlib
import os
import re

from fhirstack.planes.hosts.agent.base import AgentError, Change, Resource, at, entries, read, run
from fhirstack.planes.hosts.agent.dpkg import digests, packages
from fhirstack.planes.hosts.agent.files import put_away

_PACKAGED = ("/usr/lib/systemd/system", "/lib/systemd/system")
_PLACES = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/usr/local/lib/systemd/system",
    _PACKAGED[0],
)
"""Of systemd.unit(5), the first wins. What generators make is theirs: those are looked at."""

_GENERATORS = tuple(
    f"{root}/systemd/{kind}-generators"
    for root in ("/etc", "/run", "/usr/local/lib")
    for kind in ("system", "system-environment")
)
_MANAGER = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd")
_PRELOADS = re.compile(r"^\s*(Default|Manager)Environment\s*=(.|\\\n)*\bLD_", re.MULTILINE)
_DEFAULTS = frozenset({"multi-user.target", "graphical.target"})
_HARMLESS = re.compile(
    r"(\[\w+\]|[#;].*|(Description|Documentation|Nice|OOMScoreAdjust|LimitNOFILE|LimitCORE"
    r"|CPUWeight|StartupCPUWeight|IOWeight|(CPU|IO|Memory|Tasks|IP)Accounting)\s*=.*|)"
)
"""Lines of a drop-in that change neither what runs, nor when, nor what may be reached."""


class Stranger:
    """A file that makes a unit another than the declared one."""

    def __init__(self, path: str, reason: str, harmless: bool = False, package: str = "") -> None:
        self.path = path
        self.reason = reason
        self.harmless = harmless
        self.package = package
        """Whose file it is, where it was edited in place: it is installed again."""

    @property
    def change(self) -> Change:
        """What is said of it."""
        if self.harmless:
            return Change(f"file:{self.path}", "report", reason=self.reason)
        action = "update" if self.package else "delete"
        return Change(f"file:{self.path}", action, reason=self.reason, disrupts=True)


class Disk:
    """The directories of units, each read once."""

    def __init__(self) -> None:
        self.names = {place: frozenset(entries(place)) for place in _PLACES}
        self.sums: "dict[str, dict[str, str]]" = {}
        """Digests of unit files by name, of each package that was asked for."""

    def strangers(
        self, unit: str, aliases: "list[str]", declared: "dict[str, str]", packages: "list[str]"
    ) -> "list[Stranger]":
        """Return what makes a unit another. ``declared``: addresses of what the host is to have."""
        names = [unit, *([template] if (template := _template(unit)) else [])]
        found = []
        for place in _PLACES:
            for name in names:
                if name in self.names[place]:
                    found += self.fragment(f"{place}/{name}", declared, packages)
        for directory in dict.fromkeys(d for n in [*names, *aliases] for d in _dropin_names(n)):
            for place in _PLACES:
                if directory in self.names[place]:
                    found += self.dropins(f"{place}/{directory}", declared)
        return found

    def fragment(
        self, path: str, declared: "dict[str, str]", packages: "list[str]"
    ) -> "list[Stranger]":
        """Return whether a unit's file is another than the package's, or than ours."""
        place, _, name = path.rpartition("/")
        if f"file:{path}" in declared or f"link:{path}" in declared:
            return []
        if place not in _PACKAGED:
            target = os.readlink(at(path)) if os.path.islink(at(path)) else ""
            real = os.path.normpath(os.path.join(place, target)) if target else ""
            # A mask is the unit's state, and told as such. A link to the package's own is none.
            if _masks(path) or real in _own(name):
                return []
            how = f"leads to {target}" if target else "nothing declares it"
            return [Stranger(path, f"it stands for the package's unit, and {how}")]
        if os.path.islink(at(path)):
            return []
        package, digest = self.shipped(name, packages)
        if not package or digest == _digest(path):
            return []
        return [Stranger(path, f"it is not as {package} brings it", package=package)]

    def dropins(self, directory: str, declared: "dict[str, str]") -> "list[Stranger]":
        """Return the drop-ins of a directory that neither we nor a package have."""
        found = []
        for name in entries(directory):
            path = f"{directory}/{name}"
            if not name.endswith(".conf") or f"file:{path}" in declared:
                continue
            if directory.startswith(_PACKAGED) and _of_package(path):
                continue
            reason = "it changes a unit, and nothing declares it"
            found.append(Stranger(path, reason, harmless=_harmless(path)))
        return found

    def shipped(self, name: str, likely: "list[str]") -> "tuple[str, str]":
        """Return which package brings a unit's file, and its digest there; empty for none."""
        for package in [*likely, *_guesses(name), ""]:
            for known in [package] if package else packages():
                if known not in self.sums:
                    self.sums[known] = _sums(known)
                if name in self.sums[known]:
                    return known, self.sums[known][name]
        return "", ""


def away(strangers: "list[Stranger]") -> None:
    """Put away what is foreign, have packages' files again, and have systemd read its files."""
    for stranger in strangers:
        if stranger.package:
            options = ["-y", "-o", "Dpkg::Options::=--force-confold"]
            run(["apt-get", *options, "install", "--reinstall", stranger.package], timeout=900)
        elif not stranger.harmless:
            put_away(stranger.path)
    run(["systemctl", "daemon-reload"])


class Units(Resource):
    """Units that nothing starts on our word, and that a boot needs: theirs are the package's."""

    kind = "units"

    def plan(self) -> "list[Change]":
        return [stranger.change for stranger in self.found()]

    def found(self) -> "list[Stranger]":
        """Return all that differs."""
        disk, found = Disk(), []
        for unit in self.spec["units"]:
            found += disk.strangers(unit, [], self.digests, [])
            found += [
                Stranger(f"{place}/{unit}", "it keeps the unit from starting")
                for place in _PLACES
                if unit in disk.names[place] and _masks(f"{place}/{unit}")
            ]
        return [*found, *self.boot()] if self.spec["boot"] else found

    def boot(self) -> "list[Stranger]":
        """Return what decides otherwise which units a boot starts."""
        found = []
        path = "/etc/systemd/system/default.target"
        if os.path.lexists(at(path)):
            target = os.readlink(at(path)) if os.path.islink(at(path)) else "a file"
            if os.path.basename(target) not in _DEFAULTS:
                found.append(Stranger(path, f"the host boots into {target}, without its services"))
        for place in _GENERATORS:
            for name in entries(place):
                own = f"{place}/{name}"
                masks = os.path.islink(at(own)) and os.readlink(at(own)) == "/dev/null"
                reason = "it keeps a generator from running" if masks else "it makes units at boot"
                found.append(Stranger(own, f"{reason}, and nothing declares it", harmless=masks))
        reason = "it gives every unit libraries to load first, and nothing declares it"
        return [*found, *(Stranger(path, reason) for path in _manager_files() if _preloads(path))]

    def apply(self, changes: "list[Change]") -> None:
        away(self.found())


def _manager_files() -> "list[str]":
    """Return the files outside of packages by which systemd itself is configured."""
    found = []
    for root in _MANAGER:
        drop_ins = entries(f"{root}/system.conf.d")
        found += [f"{root}/system.conf", *(f"{root}/system.conf.d/{name}" for name in drop_ins)]
    return found


def _preloads(path: str) -> bool:
    try:
        return bool(_PRELOADS.search(read(path) or ""))
    except (AgentError, OSError):
        return False


def _template(unit: str) -> str:
    name, sign, _ = unit.partition("@")
    return f"{name}@.{unit.rpartition('.')[2]}" if sign else ""


def _dropin_names(unit: str) -> "list[str]":
    """Return the directories whose drop-ins a unit reads: its own, by prefix, of its type."""
    name, _, kind = unit.rpartition(".")
    words = name.split("-")
    prefixes = ["-".join(words[:count]) + f"-.{kind}.d" for count in range(1, len(words))]
    return [f"{unit}.d", *prefixes, f"{kind}.d"]


def _own(name: str) -> "tuple[str, ...]":
    return tuple(f"{place}/{name}" for place in _PACKAGED)


def _masks(path: str) -> bool:
    place = at(path)
    if os.path.islink(place):
        return os.readlink(place) == "/dev/null"
    return os.path.isfile(place) and not os.path.getsize(place)


def _harmless(path: str) -> bool:
    try:
        text = read(path)
    except (AgentError, OSError):
        return False
    return text is not None and all(_HARMLESS.fullmatch(x.strip()) for x in text.splitlines())


def _digest(path: str) -> str:
    text = read(path) or ""
    # As dpkg notes it, which is no safeguard against who makes another file with one digest.
    return hashlib.md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def _guesses(name: str) -> "list[str]":
    """Return packages that a unit's name suggests: most are found without reading all."""
    stem = name.partition(".")[0].partition("@")[0]
    known = {"ssh": "openssh-server", "postgresql": "postgresql-common", "redis": "redis-server"}
    return [known.get(stem, stem), stem.partition("-")[0], "systemd"]


def _sums(package: str) -> "dict[str, str]":
    """Return the digests of a package's units, by name."""
    pairs = ((path.rpartition("/"), digest) for path, digest in digests(package).items())
    return {name: digest for (place, _, name), digest in pairs if place in _PACKAGED}


def _of_package(path: str) -> bool:
    """Tell whether a package has a file as it is: asked of drop-ins beside packages' units."""
    for package in packages():
        known = digests(package)
        if digest := known.get(path) or known.get(path.removeprefix("/usr")):
            return digest == _digest(path)
    return False
