"""What a partner receives: what to provide, why, how it will be checked, and the firewall table.

One list of rows is the source of all forms: Markdown for people, CSV and JSON for programs.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

from fhirstack import __version__
from fhirstack.model.site import Environment
from fhirstack.model.types import format_size
from fhirstack.page.flows import HostFlow, endpoints, flows, show
from fhirstack.page.requirements import Requirement, requirement, requirements
from fhirstack.page.sizes import machines, totals

_ZONES = {
    "cluster": "primary and worker nodes",
    "hosts": "every host",
    "load-balancer": "load balancer",
    "primary": "primary nodes",
    "worker": "worker nodes",
    "analytics": "analytics node",
    "database": "database server",
    "nfs": "NFS server",
    "off-site-https": "off-site store (HTTPS)",
    "off-site-ssh": "off-site store (SSH)",
    "administrators": "administrators' networks",
    "mail-servers": "mail servers",
    "time-servers": "time servers",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing to provide: a requirement, a DNS name, or a flow of the firewall."""

    kind: str
    """``requirement``, ``dns-name`` or ``flow``."""
    topic: str
    id: str
    environment: str
    severity: str
    provide: str
    by: str
    """``partner``, or ``platform`` for what it does by itself."""
    sentence: str
    checked: str
    addition: bool
    reason: str


def rows(environments: Sequence[Environment] = ()) -> tuple[Row, ...]:
    """Return all rows; with environments, their DNS names and flows with addresses too."""
    kinds = {environment.kind for environment in environments}
    found = [
        _row(entry)
        for entry in requirements()
        if not kinds or entry.scope == "site" or kinds & set(entry.kinds)
    ]
    if not environments:
        return (*found, *_general_flows())
    for environment in environments:
        found += _dns_rows(environment)
        found += [_flow_row(environment, flow) for flow in flows(environment)]
    return tuple(found)


def as_json(found: Iterable[Row]) -> str:
    """Return the rows as a JSON list."""
    return json.dumps([asdict(row) for row in found], indent=2, ensure_ascii=False) + "\n"


def as_csv(found: Iterable[Row]) -> str:
    """Return the rows as CSV with a line of column names."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(Row.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in found)
    return text.getvalue()


def as_markdown(environments: Sequence[Environment], title: str) -> str:
    """Return the document for people, with a chapter for each topic.

    The firewall table stands between roles, followed by who is who in each environment: pairs of
    hosts are in the CSV and JSON forms.
    """
    wanted = [row for row in rows(environments) if row.kind == "requirement"]
    names = [row for environment in environments for row in _dns_rows(environment)]
    parts = [_HEAD.format(title=title, version=__version__), "## The machines\n", _machines_table()]
    parts += _chapters("## ", (row for row in wanted if row.by == "partner"))
    if names:
        parts.append("## DNS names\n")
        parts.append(_table(("environment", "record"), ((r.environment, r.provide) for r in names)))
    parts.append("## Firewall table\n")
    parts.append("Who opens a connection, to whom. Replies belong to it; all else is denied.\n")
    parts.append(_flows_table(_general_flows()))
    for environment in environments:
        parts.append(f"### Who is who in {environment.name}\n")
        parts.append(_who_is_who(environment))
    parts.append("## What the platform does by itself\n")
    parts.append("Nothing to provide, but to know: each is checked like the rest.\n")
    parts += _chapters("### ", (row for row in wanted if row.by == "platform"))
    return "\n".join(parts)


def _chapters(level: str, found: Iterable[Row]) -> Iterator[str]:
    for topic, group in groupby(found, key=lambda row: row.topic):
        yield f"{level}{topic}\n"
        yield from (_entry(row) for row in group)


def _row(entry: Requirement) -> Row:
    return Row(
        kind="requirement",
        topic=entry.topic,
        id=entry.id,
        environment="" if entry.scope == "site" else ", ".join(entry.kinds),
        severity=entry.severity,
        provide=entry.provide,
        by=entry.by,
        sentence=entry.sentence or "",
        checked=entry.checked,
        addition=entry.addition,
        reason=entry.reason or "",
    )


def _dns_rows(environment: Environment) -> list[Row]:
    address = environment.network.public_address
    record = "A" if address.version == 4 else "AAAA"
    entry = requirement("dns.public-address")
    return [
        Row(
            kind="dns-name",
            topic="DNS names",
            id=entry.id,
            environment=environment.name,
            severity=entry.severity,
            provide=f"{name}. {record} {address}",
            by="partner",
            sentence=entry.sentence or "",
            checked=entry.checked,
            addition=False,
            reason="",
        )
        for name in environment.dns_names.values()
    ]


def _flow_row(environment: Environment, flow: HostFlow) -> Row:
    entries = [requirement(identifier) for identifier in flow.requirements]
    source, destination = (
        f"{end.name} ({end.networks[0].network_address})"
        if end.role or len(end.networks) == 1
        else end.name
        for end in (flow.source, flow.destination)
    )
    return _flow(entries, f"{source} → {destination}: {show(flow)}", environment.name)


def _general_flows() -> list[Row]:
    """Return the flows between roles and zones, each once."""
    found: dict[str, list[Requirement]] = {}
    for entry in requirements():
        for flow in entry.flows:
            source, destination = (
                _ZONES.get(zone, zone) for zone in (flow.source, flow.destination)
            )
            text = f"{source} → {destination}: {show(flow)}"
            found.setdefault(text, []).append(entry)
    return [_flow(entries, text, "") for text, entries in found.items()]


def _flow(entries: Sequence[Requirement], text: str, environment: str) -> Row:
    by_page = [entry for entry in entries if not entry.addition]
    first = (by_page or list(entries))[0]
    return Row(
        kind="flow",
        topic="Firewall table",
        id=" ".join(entry.id for entry in entries),
        environment=environment,
        severity=first.severity,
        provide=text,
        by="partner",
        sentence=first.sentence or "",
        checked=first.checked,
        addition=not by_page,
        reason="" if by_page else first.reason or "",
    )


def _entry(row: Row) -> str:
    why = f"  \n  The page: “{row.sentence}”" if row.sentence else "  \n  The page is silent."
    reason = f"  \n  **Addition.** {row.reason}" if row.addition else ""
    return (
        f"- **{row.provide}** ({row.severity}, `{row.id}`){why}{reason}  \n"
        f"  Checked by {row.checked}.\n"
    )


def _machines_table() -> str:
    def size(value: int | None) -> str:
        return format_size(value) if value else ""

    sums = totals()
    body = [
        (
            str(row.role),
            row.count,
            row.cpu,
            size(row.memory),
            size(row.disk),
            size(row.external_storage),
        )
        for row in machines()
    ]
    disk = f"{sums.disk / 10**12:g} TB"
    external = size(sums.external_storage)
    body.append(("all", sums.machines, sums.cpu, size(sums.memory), disk, external))
    head = ("role", "machines", "cores each", "memory each", "disk each", "external storage")
    return _table(head, body)


def _who_is_who(environment: Environment) -> str:
    body = [(str(host.role), host.name, str(host.address)) for host in environment.hosts]
    zones = sorted(
        {flow.source for entry in requirements() for flow in entry.flows}
        | {flow.destination for entry in requirements() for flow in entry.flows}
    )
    for zone in zones:
        for end in endpoints(environment, zone):
            if end.role is None:
                everywhere = any(network.prefixlen == 0 for network in end.networks)
                addresses = ", ".join(str(network.network_address) for network in end.networks)
                body.append((_ZONES.get(zone, zone), "", "any" if everywhere else addresses))
    return _table(("role or zone", "host", "address"), body)


def _flows_table(group: list[Row]) -> str:
    body = []
    for row in group:
        ends, _, what = row.provide.rpartition(": ")
        source, _, destination = ends.partition(" → ")
        mark = "addition" if row.addition else "page"
        body.append((source, destination, what, mark, row.id.replace(" ", ", ")))
    return _table(("from", "to", "what", "by", "requirements"), body)


def _table(head: Sequence[str], body: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


_HEAD = """\
# {title}

Written by fhirstack {version}. What to provide for each environment, why, and how it will be
checked. Sentences in quotes are those of OpenSRP's page “Infrastructure setup”, “the page”. An
**addition** fills a gap of the page or settles a contradiction in it, and says why. *must*: the
platform does not work or is not safe without it; *should*: recommended; *info*: good to know.
"""
