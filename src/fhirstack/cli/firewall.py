"""The command ``firewall prove``: what is open is exactly what the matrix lets through."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from fhirstack.cli.console import console
from fhirstack.cli.opened import Opened
from fhirstack.cli.options import (
    DEFAULT_FILE,
    EnvironmentName,
    Format,
    SiteFile,
    check_format,
    check_output,
)
from fhirstack.cli.progress import step
from fhirstack.errors import CheckFailedError, UnreachableError
from fhirstack.model.host import Role
from fhirstack.planes.hosts import picture, prove, trust
from fhirstack.planes.hosts.findings import findings
from fhirstack.planes.hosts.prove import Proof
from fhirstack.planes.hosts.stamp import stamp

_SHORT = {
    Role.LOAD_BALANCER: "lb",
    Role.PRIMARY: "p",
    Role.WORKER: "w",
    Role.ANALYTICS: "an",
    Role.DATABASE: "db",
    Role.NFS: "nfs",
}
_MOST_SHOWN = 30


def register(app: typer.Typer) -> None:
    """Add the group of commands to the command line."""
    group = typer.Typer(help="The firewall of an environment.", no_args_is_help=True)
    group.command(name="prove")(prove_firewall)
    app.add_typer(group, name="firewall")


def prove_firewall(
    environment: EnvironmentName = "",
    file: SiteFile = DEFAULT_FILE,
    format: Format = "table",
    output: Annotated[
        Path | None, typer.Option("--output", help="Also write the picture: an HTML page.")
    ] = None,
) -> None:
    """Try every port of every host from every vantage point: what is open must be the matrix."""
    check_format(format)
    check_output(output)
    opened = Opened(file, environment, None, None)
    started = time.monotonic()
    with step("firewall"):
        outside = [point.name for point in prove.vantages(opened.environment) if not point.root]
        opened.connect()
        trust.ensure(opened.connections, outside)
        proof = prove.prove(opened.connections)
    made = stamp(file, time.monotonic() - started)
    if output:
        output.write_text(picture.as_html(environment, proof, made), encoding="utf-8")
    if format == "json":
        print(json.dumps({"made": asdict(made), **_as_dict(proof)}, indent=2))
    else:
        _tell(opened, proof)
        console().print(escape(made.words))
    if proof.wrong:
        raise CheckFailedError(
            f"{len(proof.wrong)} connections are not as the matrix says",
            remedy=f"`fhirstack drift -e {environment}` says whether the hosts' own firewalls are"
            " as declared, and names a second one; where all are, look at what is between them",
        )
    if proof.skipped:
        raise UnreachableError(
            "not everything was proved", remedy="make the skipped vantage points reachable"
        )


def _tell(opened: Opened, proof: Proof) -> None:
    out = console()
    labels: dict[str, str] = {}
    for role, short in _SHORT.items():
        hosts = opened.environment.hosts_of(role)
        for number, host in enumerate(hosts, 1):
            labels[host.name] = f"{short}{number}" if len(hosts) > 1 else short
    found = picture.cells(proof)
    sources = list(dict.fromkeys(one.what.source for one in proof.tried))
    if len(labels) <= 16:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        table.add_column("from")
        for label in labels.values():
            table.add_column(label, justify="right")
        for source in sources:
            row = [_mark(found.get((source, host))) for host in labels]
            table.add_row(escape(source.removeprefix(f"{opened.environment.name}-")), *row)
        out.print(table)
        out.print("number: ports that were reached; ·: none; !: not as the matrix says")
    found_wrong = findings(proof.wrong)
    for finding in found_wrong[:_MOST_SHOWN]:
        out.print(f"[red]✗[/red] {escape(finding.what)}")
    if len(found_wrong) > _MOST_SHOWN:
        out.print(f"… and {len(found_wrong) - _MOST_SHOWN} more: --format json")
    for name, reason in proof.skipped.items():
        out.print(f"[yellow]skipped[/yellow] {escape(name)}: {escape(reason)}")
    undecided = sum(one.undecided for one in proof.tried)
    text = f"{len(proof.tried)} connections were tried, {len(proof.wrong)} are wrong"
    if undecided:
        text += f"; {undecided} on UDP stayed without an answer, which proves nothing"
    out.print(f"{text}.")


def _mark(cell: picture.Cell | None) -> str:
    if cell is None:
        return ""
    if cell.wrong:
        return "[bold red]![/bold red]"
    return str(cell.ports) if cell.ports else "·"


def _as_dict(proof: Proof) -> dict[str, object]:
    return {
        "tried": len(proof.tried),
        "findings": [
            {"what": finding.what, "connections": len(finding.tried)}
            for finding in findings(proof.wrong)
        ],
        "wrong": [
            {
                "from": one.what.source,
                "to": one.what.host,
                "address": one.what.address,
                "protocol": one.what.protocol,
                "port": one.what.port,
                "allowed": one.what.allowed,
                "result": one.result,
                "requirement": one.what.reason,
            }
            for one in proof.wrong
        ],
        "skipped": dict(proof.skipped),
    }
