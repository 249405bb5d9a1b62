"""The kernel's settings and modules, and swap."""

import os
from typing import Callable

from fhirstack.planes.hosts.agent.base import AgentError, Change, Resource, at, read, run, write
from fhirstack.planes.hosts.agent.boot_settings import at_boot, pairs
from fhirstack.planes.hosts.agent.files import difference
from fhirstack.planes.hosts.agent.lines import parts, quiet
from fhirstack.planes.hosts.agent.mounts import FSTAB, write_fstab


class Sysctl(Resource):
    """Settings of the kernel, as they are now and as a file sets them at boot."""

    kind = "sysctl"

    @property
    def path(self) -> str:
        """The file that is read at boot."""
        return f"/etc/sysctl.d/{self.spec['name']}.conf"

    @property
    def text(self) -> str:
        """What the file is to say."""
        return "".join(f"{key} = {value}\n" for key, value in self.spec["values"].items())

    def plan(self) -> "list[Change]":
        text = read(self.path)
        values = self.spec["values"]
        now = {key: running(key) for key in values}
        before = {k: v for k, v in now.items() if v is not None and v != _plain(values[k])}
        changes = []
        if text != self.text or before:
            changes.append(
                self.change(
                    "create" if text is None else "update",
                    before=before or None,
                    after={key: values[key] for key in before} or None,
                    diff=difference(text or "", self.text),
                )
            )
        changes += [
            self.change(
                "update",
                before={key: value},
                after={key: values[key]},
                reason=f"{path} sets it at boot",
            )
            for path, lines in self.others().items()
            for key, value in lines.items()
        ]
        unknown = ", ".join(key for key, value in now.items() if value is None)
        if unknown:
            reason = f"this kernel does not have {unknown}: nothing is set"
            changes.append(self.change("report", reason=reason))
        return changes

    def others(self) -> "dict[str, dict[str, str]]":
        """Return what other files set otherwise at the next boot: by file, each key's value."""
        values = self.spec["values"]
        found: dict[str, dict[str, str]] = {}
        for key, (value, path) in at_boot(list(values)).items():
            if value != _plain(values[key]) and path != self.path:
                found.setdefault(path, {})[key] = value
        return found

    def apply(self, changes: "list[Change]") -> None:
        os.makedirs(os.path.dirname(at(self.path)), exist_ok=True)
        write(self.path, self.text)
        for _ in range(_LAYERS):
            for path, keys in self.others().items():
                quiet(path, _setting(keys))
        for key, value in self.spec["values"].items():
            if running(key) not in (None, _plain(value)):
                try:
                    with open(at(_place(key)), "w") as stream:
                        stream.write(value)
                except OSError as error:
                    text = f"the kernel refuses {key} = {value}: {error.strerror}"
                    raise AgentError(text) from None


_LAYERS = 5
"""Files that set one key otherwise, one behind another: more are found by the next look."""


def _setting(keys: "dict[str, str]") -> "Callable[[str], bool]":
    return lambda line: any(key in keys for _, key, _ in pairs(line))


def running(key: str) -> "str | None":
    """Return a setting's value now, None where the kernel has no such setting to be read."""
    try:
        text = read(_place(key))
    except OSError:
        return None
    return None if text is None else _plain(text)


def _place(key: str) -> str:
    # As sysctl has it: a dot that is part of an interface's name is written as a slash.
    return "/proc/sys/" + key.translate(str.maketrans("./", "/."))


def _plain(value: str) -> str:
    return " ".join(value.split())


_SIGNS = {"br_netfilter": "/proc/sys/net/bridge"}
"""What is there with a module, whether it is loaded or built in."""


class Module(Resource):
    """A module of the kernel: there now, and at boot."""

    kind = "module"

    def plan(self) -> "list[Change]":
        lacking = [f"{path} forbids it" for path in self.forbidden()]
        if not self.loaded():
            lacking.append("it is not loaded")
        if read(self.path) != f"{self.spec['name']}\n":
            lacking.append("nothing loads it at boot")
        action = "create" if len(lacking) > 1 else "update"
        return [self.change(action, reason="; ".join(lacking))] if lacking else []

    def forbidden(self) -> "list[str]":
        """Return the files of modprobe.d that keep the module from being loaded."""
        return [
            path
            for path in parts("modprobe.d")
            if any(map(self.forbids, (read(path) or "").splitlines()))
        ]

    def forbids(self, line: str) -> bool:
        """Tell whether a line runs something in the module's place, or is against it."""
        words = line.replace("-", "_").split()
        name = self.spec["name"].replace("-", "_")
        return words[1:2] == [name] and words[0] in ("install", "blacklist")

    @property
    def path(self) -> str:
        """The file that is read at boot."""
        return f"/etc/modules-load.d/fhirstack-{self.spec['name']}.conf"

    def loaded(self) -> bool:
        """Return whether the kernel has it, as a module or built in."""
        name = self.spec["name"].replace("-", "_")
        if os.path.isdir(at(f"/sys/module/{name}")):
            return True
        if any(line.split()[0] == name for line in (read("/proc/modules") or "").splitlines()):
            return True
        # A kernel without modules tells neither: its file systems and settings do.
        systems = (read("/proc/filesystems") or "").split()
        if name in systems or os.path.isdir(at(_SIGNS.get(name, "/none"))):
            return True
        release = (read("/proc/sys/kernel/osrelease") or "").strip()
        built_in = (read(f"/lib/modules/{release}/modules.builtin") or "").splitlines()
        return name in (os.path.basename(p).split(".")[0].replace("-", "_") for p in built_in)

    def apply(self, changes: "list[Change]") -> None:
        os.makedirs(os.path.dirname(at(self.path)), exist_ok=True)
        write(self.path, f"{self.spec['name']}\n")
        for path in self.forbidden():
            quiet(path, self.forbids)
        if not self.loaded():
            run(["modprobe", self.spec["name"]])


class Swap(Resource):
    """No swap: none in use, and none in fstab. Its lines there become comments."""

    kind = "swap"
    mark = "# fhirstack: no swap: "

    def plan(self) -> "list[Change]":
        used = [line.split()[0] for line in (read("/proc/swaps") or "").splitlines()[1:]]
        text = read(FSTAB) or ""
        wanted = self.without(text)
        reasons = ["in use: " + ", ".join(used)] if used else []
        if wanted != text:
            reasons.append("fstab turns it on at boot")
        if not reasons:
            return []
        return [self.change("update", reason="; ".join(reasons), diff=difference(text, wanted))]

    def without(self, text: str) -> str:
        """Return the text of fstab with its lines of swap as comments."""
        lines = text.splitlines(keepends=True)
        return "".join(self.mark + line if _is_swap(line) else line for line in lines)

    def apply(self, changes: "list[Change]") -> None:
        text = read(FSTAB) or ""
        # First what lasts: a run that is killed in between leaves no swap for the next boot.
        if self.without(text) != text:
            write_fstab(self.without(text))
        if len((read("/proc/swaps") or "").splitlines()) > 1:
            run(["swapoff", "--all"])


def _is_swap(line: str) -> bool:
    words = line.split()
    return words[2:3] == ["swap"] and not words[0].startswith("#")
