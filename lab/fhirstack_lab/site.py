"""The lab's site file: reads its lines of hosts, writes the site of a run. Pure.

Only the standard library is used, which reads no YAML: hosts stand one a line, as flow mappings.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fhirstack_lab.places import DEFAULT_STATE
from fhirstack_lab.say import LabError

_ENTRY = re.compile(r"^(?P<lead>\s*(?:- |[a-z_]+: )?)\{(?P<inside>.*)\}\s*$")
_PAIR = re.compile(r"(\w+): (\"[^\"]*\"|\{[^}]*\}|[^,]+)(?:, |$)")
_UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
_FIRST_EXTRA = 100
"""The last byte of the address of the first worker that is not of the page."""


@dataclass(frozen=True)
class HostLine:
    """What the file says of one host. Sizes in bytes."""

    name: str
    role: str
    address: str
    cpu: int
    memory: int
    disk: int
    external_storage: int | None = None


def flow(line: str) -> dict[str, str] | None:
    """Return the pairs of a flow mapping that is the value of a line, or None."""
    match = _ENTRY.match(line)
    return (
        {key: value.strip('"') for key, value in _PAIR.findall(match["inside"])} if match else None
    )


def size(text: str) -> int:
    """Turn "8 GB" into bytes."""
    number, unit = text.split()
    return int(float(number) * _UNITS[unit])


def host_lines(site: str) -> list[HostLine]:
    """Return the hosts of a site. Raises LabError where one cannot be read."""
    found = []
    for number, line in enumerate(site.splitlines(), 1):
        pairs = flow(line)
        if not pairs or "role" not in pairs:
            continue
        try:
            external = pairs.get("external_storage")
            found.append(
                HostLine(
                    pairs["name"],
                    pairs["role"],
                    pairs["address"],
                    int(pairs["cpu"]),
                    size(pairs["memory"]),
                    size(pairs["disk"]),
                    size(external) if external else None,
                )
            )
        except (KeyError, ValueError) as error:
            raise LabError(
                f"line {number} of the lab's site.yaml cannot be read: {error}",
                "write one host a line: {name: …, role: …, address: …, cpu: …, memory: …, disk: …}",
            ) from error
    return found


def scalar(site: str, key: str) -> str:
    """Return the first plain value of a key."""
    match = re.search(rf"^\s*{key}: \"?([^\s\"#]+)", site, re.MULTILINE)
    if not match:
        raise LabError(f"the lab's site.yaml has no `{key}`")
    return match[1]


def with_extra_workers(site: str, count: int) -> str:
    """Return the site with so many hosts; what is more than the page's are workers."""
    extra = count - len(host_lines(site))
    if extra < 0 or extra > 254 - _FIRST_EXTRA:
        most = count - extra + 254 - _FIRST_EXTRA
        raise LabError(f"a lab has {count - extra} to {most} hosts, not {count}")
    lines = site.splitlines()
    workers = [i for i, line in enumerate(lines) if (flow(line) or {}).get("role") == "worker"]
    last = flow(lines[workers[-1]]) or {}
    for i in range(extra):
        number = _FIRST_EXTRA + i
        line = lines[workers[-1]]
        for old, new in (
            (last["name"], f"{last['name'].rpartition('-')[0]}-{len(workers) + 1 + i}"),
            (f"{last['address']},", f"{last['address'].rpartition('.')[0]}.{number},"),
            (f'"{last["address6"]}"', f'"{last["address6"].rpartition("::")[0]}::{number}"'),
        ):
            line = line.replace(old, new)
        lines.insert(workers[-1] + 1 + i, line)
    return "\n".join(lines) + "\n"


def site_of_run(
    site: str, state: str, fingerprints: Mapping[str, str], administrators: Mapping[str, str]
) -> str:
    """Return the site with the state directory's paths, each host's key, and the people's keys.

    `fingerprints` has a host's name, or the address of one of the lab's own, as its key;
    `administrators` a person's name, and a public key as its value.
    """
    lines = []
    for line in site.replace(DEFAULT_STATE, state).splitlines():
        pairs = flow(line) or {}
        key = fingerprints.get(pairs.get("name", "")) or fingerprints.get(pairs.get("address", ""))
        lines.append(line.rstrip()[:-1] + f', host_key: "{key}"}}' if key else line)
        if line.strip().startswith("ssh_config:"):
            lead = line[: line.index("ssh_config")]
            lines.append(f"{lead}administrators:")
            lines += [
                f'{lead}  - {{name: {name}, keys: ["{public}"]}}'
                for name, public in administrators.items()
            ]
    return "\n".join(lines) + "\n"
