"""Debian packages, and the repositories that they come from."""

import contextlib
import functools
import glob
import os
import re
import time
from collections.abc import Callable, Iterator

from fhirstack.planes.hosts.agent import aptlock
from fhirstack.planes.hosts.agent.base import (
    STATE,
    AgentError,
    Change,
    Resource,
    at,
    read,
    run,
    write,
)
from fhirstack.planes.hosts.agent.files import difference

_POLICY = "/usr/sbin/policy-rc.d"
_POLICY_MARK = "# fhirstack put this here while it installs packages."
_POLICY_TEXT = f"#!/bin/sh\n{_POLICY_MARK} Their services start once configured.\nexit 101\n"
_LISTS = "/var/lib/apt/lists"
_UPDATED = f"{STATE}/apt-updated"
_OLD = 24 * 3600
_KEEP_CONFIGURATION = ["--force-confdef", "--force-confold"]
_LOCK_SECONDS = 10
"""That apt itself waits for its locks; longer waits are ours, and say who has them."""
_TRIES = 10
"""Another apt may come between ours and the moment at which the locks were free."""
Tell = Callable[[str], object]
"""Told what is waited for."""


@functools.cache
def statuses() -> "dict[str, str]":
    """Return dpkg's status of each package it knows, such as ``ii``, ``hi``, ``iHR``, ``rc``."""
    found: dict[str, str] = {}
    listed = run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n"], check=False)
    for line in listed.stdout.splitlines():
        name, _, status = line.partition(" ")
        # A package of two architectures has two lines: one installed is enough.
        if found.get(name) != "ii":
            found[name] = status.strip()
    return found


@functools.cache
def update() -> None:
    """Fetch the lists of packages, once a process. What fails is told by what needs a list."""
    if _patiently(["apt-get", "-q", "update"], check=False) == 0:
        os.makedirs(at(STATE), mode=0o700, exist_ok=True)
        write(_UPDATED, "", mode=0o600)


def sweep() -> None:
    """Remove the policy that a killed run left: with it no package can start its services."""
    if _POLICY_MARK in (read(_POLICY) or ""):
        os.unlink(at(_POLICY))


@contextlib.contextmanager
def _nothing_starts() -> "Iterator[None]":
    """Keep services from starting as they are installed; a policy of others stays as it is."""
    sweep()
    if read(_POLICY) is None:
        write(_POLICY, _POLICY_TEXT, mode=0o755)
    try:
        yield
    finally:
        sweep()


def _patiently(command: "list[str]", check: bool = True, tell: "Tell" = str) -> int:
    """Run a program that needs the locks of apt and dpkg, which others may have for a while.

    Raises AgentError with its last lines, or with who has the locks and does not move.
    """
    for _ in range(_TRIES):
        aptlock.wait(tell)
        done = run(command, timeout=1800, check=False)
        said = done.stderr
        if not done.returncode or not ("get lock" in said or "locked by another" in said):
            break
    if check and done.returncode:
        text = (done.stdout + done.stderr).strip()
        tail = "\n".join(text.splitlines()[-8:])
        raise AgentError(
            f"`{' '.join(command)}` ended with {done.returncode}: {tail}{_cause(text)}"
        )
    return done.returncode


def _cause(text: str) -> str:
    """Return the cause behind apt's words, where they do not say it."""
    if "is not valid yet" in text or "not yet valid" in text:
        now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        return (
            f"\nThe host's clock says {now}, and is behind: `chronyc makestep`, or `date -s`, then"
            " apply again"
        )
    if "has no installation candidate" in text or "Unable to locate package" in text:
        return "\nLook at `apt-cache policy` of it: the lists may be old, or a pin refuses it"
    if "Held packages were changed" in text or "held broken packages" in text:
        return "\nA hold or a pin is in the way: `apt-mark showhold`, /etc/apt/preferences.d"
    return ""


def _apt_get(*words: str, check: bool = True, tell: "Tell" = str) -> int:
    options = ["-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}", "-o", "Dpkg::Use-Pty=0"]
    for option in _KEEP_CONFIGURATION:
        options += ["-o", f"Dpkg::Options::={option}"]
    try:
        return _patiently(["apt-get", "-q", "-y", *options, *words], check=check, tell=tell)
    finally:
        statuses.cache_clear()


def reinstall(names: "list[str]") -> None:
    """Install packages again as they are: files of theirs were changed. Their services go on."""
    if names:
        with _nothing_starts():
            _apt_get("install", "--reinstall", *names)


def _lists_are_old() -> bool:
    if not glob.glob(glob.escape(at(_LISTS)) + "/*_Packages*"):
        return True
    try:
        return time.time() - os.path.getmtime(at(_UPDATED)) > _OLD
    except FileNotFoundError:
        return True


class Package(Resource):
    """A package that is installed, or is not."""

    kind = "package"

    def plan(self) -> "list[Change]":
        status = statuses().get(self.spec["name"], "un")
        if not self.spec["present"]:
            return [] if status[1:2] in ("n", "c") else [self.change("delete", before=status)]
        if status == "ii":
            return []
        if status[1:2] in ("n", "c"):
            return [self.change("create")]
        if status == "hi":
            return [self.change("update", before=status, reason="it is held at its version")]
        reason = "its installation was interrupted" if status[:1] in "ih" else "it is to be removed"
        return [self.change("update", before=status, reason=reason)]

    def apply(self, changes: "list[Change]") -> None:
        for error in self.apply_many([self]).values():
            raise AgentError(error)

    @staticmethod
    def apply_many(packages: "list[Package]", tell: "Tell" = str) -> "dict[str, str]":
        """Put many packages in place with one apt-get for all of them.

        Those whose services may start by being installed have a second one. Returns what went
        wrong by address: a package that cannot be had holds up no other.
        """
        with _nothing_starts():
            _complete(tell)
            gone = [p for p in packages if not p.spec["present"] and p.plan()]
            failed = _each(gone, "remove", tell)
            quiet = [p for p in packages if p.spec["present"] and not p.spec["starts"]]
            failed |= _each(quiet, "install", tell)
        return failed | _each([p for p in packages if p.spec["starts"]], "install", tell)


def _complete(tell: "Tell") -> None:
    """End what an interrupted dpkg began: nothing can be installed before."""
    statuses.cache_clear()
    half = any(status[1:2] in ("U", "F", "W", "t") for status in statuses().values())
    if half or glob.glob(glob.escape(at("/var/lib/dpkg/updates")) + "/[0-9]*"):
        _patiently(["dpkg", *_KEEP_CONFIGURATION, "--configure", "-a"], tell=tell)
        statuses.cache_clear()


def _each(packages: "list[Package]", verb: str, tell: "Tell") -> "dict[str, str]":
    """Install or remove packages at once; those that apt names as the trouble are left out.

    Returns their errors by address. What apt does not name stops all of them.
    """
    failed: "dict[str, str]" = {}
    rest = packages
    while rest:
        try:
            if verb == "install":
                _install(rest, tell)
            else:
                _apt_get(verb, *[p.spec["name"] for p in rest], tell=tell)
            break
        except AgentError as problem:
            text = str(problem)
            named = [p for p in rest if _is_blamed(p.spec["name"], text)]
            for package in named or rest:
                failed[package.address] = text
            rest = [p for p in rest if named and p not in named]
    return failed


def _is_blamed(name: str, text: str) -> bool:
    """Return whether apt's or dpkg's error is about this package, not only its command line."""
    said = text.partition(" ended with ")[2]
    word = rf"(?<![\w.+-]){re.escape(name)}(?![\w.+-])"
    archive = rf"error processing archive \S*/{re.escape(name)}_"
    patterns = [archive, *(pattern.replace("NAME", word) for pattern in _BLAMES)]
    return any(re.search(pattern, said, re.MULTILINE) for pattern in patterns)


_BLAMES = (
    r"Unable to locate package NAME",
    r"Package '?NAME'? has no installation candidate",
    r"Package '?NAME'? is not available",
    r"^ NAME(?::\w+)? : ",
    r"error processing package NAME",
    r"^ NAME(?:/\S+)? ",
)
"""How apt and dpkg name a package that cannot be installed or removed."""


def _install(packages: "list[Package]", tell: "Tell") -> None:
    missing = {p.spec["name"]: statuses().get(p.spec["name"], "un") for p in packages if p.plan()}
    if not missing:
        return
    held = [name for name, status in missing.items() if status.startswith("h")]
    if held:
        run(["apt-mark", "unhold", *held])
    again = ["--reinstall"] if any(s[1:2] == "H" for s in missing.values()) else []
    words = ["install", "--no-install-recommends", *again, *missing]
    if _lists_are_old():
        update()
    if _apt_get(*words, check=False, tell=tell):
        update()
        _apt_get(*words, tell=tell)


class AptSource(Resource):
    """A repository's file in deb822 form, whose lists are fetched as it changes."""

    kind = "apt-source"

    def __init__(self, spec: "dict[str, object]") -> None:
        super().__init__(spec)
        self.path = f"/etc/apt/sources.list.d/{spec['name']}.sources"
        self.fetched = f"{STATE}/apt-sources/{spec['name']}"
        """What the file said when its lists were fetched."""

    def plan(self) -> "list[Change]":
        text, wanted = read(self.path), self.spec["content"]
        if text is None:
            return [self.change("create", diff=difference("", wanted))]
        if text != wanted:
            return [self.change("update", diff=difference(text, wanted))]
        if read(self.fetched) != wanted:
            return [self.change("update", reason="its lists have not been fetched")]
        return []

    def apply(self, changes: "list[Change]") -> None:
        os.makedirs(os.path.dirname(at(self.path)), exist_ok=True)
        write(self.path, self.spec["content"])
        only_this = [
            f"Dir::Etc::SourceList={self.path}",
            "Dir::Etc::SourceParts=-",
            "APT::Get::List-Cleanup=0",
            "APT::Update::Error-Mode=any",
        ]
        _patiently(["apt-get", "-q", "update", *(w for o in only_this for w in ("-o", o))])
        os.makedirs(os.path.dirname(at(self.fetched)), mode=0o700, exist_ok=True)
        write(self.fetched, self.spec["content"], mode=0o600)
