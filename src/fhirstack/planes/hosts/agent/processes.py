"""Whether the process of a unit is the one that the unit starts: its program, words, libraries.

Who starts a service with another command line and puts the unit back leaves a process that no file
tells of. What systemd would start is compared with what the kernel says of what it started.
"""

import os
import re
import shlex

from fhirstack.planes.hosts.agent.base import AgentError, at, read

PROPERTIES = "ExecStart,Environment,EnvironmentFiles"
"""What systemd is asked for, beside how a unit fares and its ``MainPID``."""

_START = re.compile(r"\{ path=(?P<path>.*?) ; argv\[\]=(?P<words>.*?) ; ignore_errors=")
_SHELLS = frozenset({"sh", "bash", "dash"})
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+)|(\$))")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*")
_LISTENER = re.compile(r"sshd: (.*?) \[listener\].*", re.DOTALL)
"""What sshd writes over its words: they stand in it."""
_RELOADED = re.compile(r" -(?:sf|st)(?: \d+)+| -x sockpair@\S+")
"""What HAProxy adds to its own words when it reads its configuration again."""


def another(state: "dict[str, str]") -> str:
    """Return how a unit's process is another than the one that the unit starts; empty if not.

    ``state`` is what systemd says of the unit, with the `PROPERTIES`. A script runs as its
    interpreter, or as what it started: nothing is said of it. Of a program that writes a title
    over its words, the words are not known.
    """
    start = _START.search(state.get("ExecStart", ""))
    pid = state.get("MainPID", "0")
    if pid in ("", "0") or not start or _script(start["path"]):
        return ""
    try:
        program = os.readlink(at(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
        ran = (read(f"/proc/{pid}/cmdline") or "").rstrip("\0")
        given = (read(f"/proc/{pid}/environ") or "").split("\0")
        known = _variables(state)
    except (AgentError, OSError):
        # It ended meanwhile, or is a kernel's thread: how the unit fares tells that.
        return ""
    wanted = _plain(_VARIABLE.sub(lambda match: _value(match, known), start["words"]))
    named = start["path"]
    if os.path.basename(named) in _SHELLS and f" {program} " in f"{wanted} ":
        # A shell that puts words together, and becomes what they name.
        named, wanted = program, f"{wanted} "[f"{wanted} ".index(f" {program} ") + 1 :].rstrip()
    if os.path.realpath(at(program)) != os.path.realpath(at(named)):
        return f"{program} runs, and its unit starts {start['path']}"
    if foreign := _loaded(given, known):
        return f"it was started with {', '.join(foreign)}, which its unit does not set"
    words = _words(ran)
    if words is None or words == wanted:
        return ""
    return f"`{words}` runs, and its unit starts `{wanted}`"


def foreign_variables(state: "dict[str, str]") -> "list[str]":
    """Return names of variables by which a unit's process loads what its unit does not tell."""
    try:
        given = (read(f"/proc/{state.get('MainPID', '0')}/environ") or "").split("\0")
        return _loaded(given, _variables(state))
    except (AgentError, OSError):
        return []


def _loaded(given: "list[str]", known: "dict[str, str]") -> "list[str]":
    names = {item.partition("=")[0] for item in given if item.startswith("LD_")}
    return sorted(names - known.keys())


def _script(path: str) -> bool:
    try:
        with open(at(path), "rb") as stream:
            return stream.read(2) == b"#!"
    except OSError:
        return False


def _words(ran: str) -> "str | None":
    """Return the words of a process in one line; None where it wrote something else over them."""
    if listener := _LISTENER.fullmatch(ran):
        return _plain(listener[1])
    words = ran.split("\0")
    if len(words) == 1 and " " in ran:
        return None
    return _plain(_RELOADED.sub("", " ".join(words)))


def _plain(line: str) -> str:
    # Systemd tells words without their quotes: how many spaces are between them is not known.
    return " ".join(line.split())


def _value(match: "re.Match[str]", known: "dict[str, str]") -> str:
    if match[3]:
        return "$"
    value = known.get(match[1] or match[2], "")
    if match[1]:
        return value
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value


def _variables(state: "dict[str, str]") -> "dict[str, str]":
    """Return the variables that a unit sets: its own, then those of its files."""
    pairs = [item.partition("=") for item in shlex.split(state.get("Environment", ""))]
    found = {name: value for name, _, value in pairs}
    for line in state.get("EnvironmentFiles", "").splitlines():
        text = read(line.rpartition(" (")[0]) or ""
        for assignment in text.replace("\\\n", "").splitlines():
            if match := _ASSIGNMENT.fullmatch(assignment):
                found[match[1]] = _unquoted(match[2])
    return found


def _unquoted(value: str) -> str:
    quote = value[:1]
    if quote in ("'", '"') and value.endswith(quote) and len(value) > 1:
        return value[1:-1]
    return value
