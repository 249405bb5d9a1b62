"""The desired state of hosts, as data that Ansible's playbook and pyinfra's deploy read.

What a tool cannot express, or not without a collection, is left out and counted: the comparison
is then in its favour.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fhirstack.planes.hosts import resources
from fhirstack.planes.hosts.resources import Resource

Desired = Mapping[str, tuple[Resource, ...]]
Entry = dict[str, Any]

_TEMPLATE = re.compile(r"\{[{%#]")
"""What Ansible would take for a template in a variable."""


@dataclass
class Converted:
    """One host's resources by kind, the contents of its files, and what was left out."""

    packages: list[str] = field(default_factory=list)
    unwanted: list[str] = field(default_factory=list)
    groups_wanted: list[Entry] = field(default_factory=list)
    users: list[Entry] = field(default_factory=list)
    directories: list[Entry] = field(default_factory=list)
    files: list[Entry] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    links: list[Entry] = field(default_factory=list)
    blocks: list[Entry] = field(default_factory=list)
    services: list[Entry] = field(default_factory=list)
    masked: list[str] = field(default_factory=list)
    sysctls: dict[str, str] = field(default_factory=dict)
    mounts: list[Entry] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict)
    """By the name of a file that holds it; not among what is written as variables."""
    left_out: dict[str, Counter[str]] = field(
        default_factory=lambda: {"ansible": Counter(), "pyinfra": Counter()}
    )

    def variables(self, contents: Path) -> dict[str, Any]:
        """Return what the tools read of this host."""
        names = (
            "packages unwanted groups_wanted users directories absent links blocks services masked"
            " sysctls mounts"
        )
        found = {name: getattr(self, name) for name in names.split()}
        return {
            **found,
            "files": [
                {**entry, "source": str(contents / str(entry["source"]))} for entry in self.files
            ],
        }

    def lack(self, kind: str, *tools: str) -> None:
        """Count a resource that tools do without; with none named both do."""
        for tool in tools or self.left_out:
            self.left_out[tool][kind] += 1

    def file(self, path: str, content: str, **attributes: str) -> None:
        """Add a file."""
        name = hashlib.sha256(content.encode()).hexdigest()[:24]
        self.contents[name] = content
        entry = {"path": path, "source": name, "mode": "0644", "owner": "root", "group": "root"}
        self.files.append({**entry, **attributes})


def converted(wanted: Iterable[Resource]) -> Converted:
    """Return one host's resources in the tools' terms."""
    found = Converted()
    for resource in wanted:
        _convert(resource, found)
    return found


def _convert(resource: Resource, found: Converted) -> None:  # noqa: PLR0912 - a case a kind
    match resource:
        case resources.Package():
            if resource.present:
                found.packages.append(resource.name)
            else:
                found.unwanted.append(resource.name)
                found.lack("package that is not to be there", "ansible")
        case resources.Group():
            found.groups_wanted.append({"name": resource.name})
        case resources.User():
            home = resource.home or f"/home/{resource.name}"
            entry = {"name": resource.name, "shell": resource.shell, "home": home}
            found.users.append({**entry, "groups": list(resource.groups)})
        case resources.Directory():
            entry = {"path": resource.path, "mode": resource.mode}
            entry |= {"owner": resource.owner, "group": resource.group}
            found.directories.append(entry)
            if resource.exclusive:
                found.lack("strangers in a directory")
        case resources.File():
            _convert_file(resource, found)
        case resources.Link():
            found.links.append({"path": resource.path, "target": resource.target})
        case resources.Block():
            if _TEMPLATE.search(resource.content):
                found.lack("block with braces")
            else:
                content = resource.content.rstrip("\n")  # pyinfra takes it for one more line
                found.blocks.append({"path": resource.path, "content": content})
        case resources.Service():
            _convert_service(resource, found)
        case resources.Sysctl():
            lines = [f"{key} = {value}\n" for key, value in resource.values.items()]
            found.file(f"/etc/sysctl.d/{resource.name}.conf", "".join(lines))
            found.sysctls |= resource.values
            found.lack("running setting of the kernel", "ansible")
        case resources.Module():
            path = f"/etc/modules-load.d/fhirstack-{resource.name}.conf"
            found.file(path, f"{resource.name}\n")
            found.lack("module that is loaded now")
        case resources.Mount():
            found.mounts.append({"path": resource.path})
            found.lack("mount", "ansible")
            found.lack("line in fstab", "pyinfra")
        case _:
            found.lack(resource.kind)


def _convert_file(resource: resources.File, found: Converted) -> None:
    if resource.content is None:
        found.absent.append(resource.path)
        return
    if resource.initial:
        found.lack("file whose content is another program's")
        return
    owner = {"owner": resource.owner, "group": resource.group}
    found.file(resource.path, resource.content, mode=resource.mode, **owner)


def _convert_service(resource: resources.Service, found: Converted) -> None:
    name = resource.name if "." in resource.name else f"{resource.name}.service"
    if resource.masked:
        found.masked.append(name)
        return
    entry: Entry = {"name": name, "running": resource.running, "enabled": resource.enabled}
    if "@" in name:
        # PostgreSQL's are enabled at boot by a generator, which the tools would enable once more.
        entry["enabled"] = None
        found.lack("enabling of an instance that a generator enables")
    found.services.append(entry)
    if resource.watch or resource.reload_watch:
        found.lack("restart of a service that was interrupted")


def written(
    desired: Desired, addresses: Mapping[str, str], user: str, directory: Path
) -> dict[str, Any]:
    """Write both tools' inventories; return how many resources of which kinds each was given.

    ``directory`` must be private: contents of files may be secret.
    """
    contents = directory / "contents"
    contents.mkdir()
    hosts: dict[str, dict[str, Any]] = {}
    totals: Counter[str] = Counter()
    left_out: dict[str, Counter[str]] = {"ansible": Counter(), "pyinfra": Counter()}
    for name, wanted in desired.items():
        found = converted(wanted)
        for file, content in found.contents.items():
            (contents / file).write_text(content)
        hosts[name] = found.variables(contents)
        totals.update(resource.kind for resource in wanted)
        for tool, counter in found.left_out.items():
            left_out[tool].update(counter)
    (directory / "desired.json").write_text(json.dumps(hosts))
    how = {"ansible_user": user, "ansible_python_interpreter": "/usr/bin/python3"}
    inventory = {
        name: {**data, **how, "ansible_host": addresses[name]} for name, data in hosts.items()
    }
    (directory / "inventory.json").write_text(json.dumps({"all": {"hosts": inventory}}))
    return {
        "resources": sum(totals.values()),
        "kinds": dict(totals),
        "left out": {tool: dict(counter) for tool, counter in left_out.items()},
    }
