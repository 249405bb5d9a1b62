"""The command ``preflight``: every host against the page, before anything is set up."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from fhirstack.checks.preflight import report
from fhirstack.checks.preflight.facts import Seen
from fhirstack.checks.preflight.gather import gather
from fhirstack.checks.preflight.registry import conclusion, run
from fhirstack.cli.console import console
from fhirstack.cli.options import (
    DEFAULT_FILE,
    EnvironmentName,
    HostNames,
    RoleNames,
    SiteFile,
    check_output,
    chosen,
    open_environment,
)
from fhirstack.cli.progress import step
from fhirstack.errors import UnreachableError
from fhirstack.page.results import CheckResult, Verdict
from fhirstack.planes.hosts.ssh import Connections

_COLOURS = {Verdict.OK: "green", Verdict.FAILED: "bold red", Verdict.WARNING: "yellow"}


class Format(StrEnum):
    """Forms of what was found."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(preflight)


def preflight(
    environment: EnvironmentName = "",
    file: SiteFile = DEFAULT_FILE,
    host: HostNames = None,
    role: RoleNames = None,
    format: Annotated[
        Format, typer.Option("--format", help="How to show it; html is a page to hand on.")
    ] = Format.TABLE,
    output: Annotated[Path | None, typer.Option("--output", help="Write it to a file.")] = None,
) -> None:
    """Look at every host: is it what the page asks for? Changes nothing on the hosts."""
    check_output(output)
    site, opened = open_environment(file, environment)
    hosts = chosen(opened, host, role)
    connections = Connections(opened, file)
    with step(f"preflight of {len(hosts)} hosts"):
        seen = gather(connections, hosts)
    results = run(seen)
    now = datetime.now(UTC)
    if format is Format.JSON:
        _put(report.as_json(seen, results, now), output)
    elif format is Format.HTML:
        _put(report.as_html(seen, results, site.programme, now), output)
    elif output is None:
        _print(seen, results)
    else:
        with console().capture() as captured:
            _print(seen, results)
        _put(captured.get(), output)
    if output is not None:
        console(stderr=True).print(report.summary(seen, results), markup=False)
        console(stderr=True).print(f"Wrote {output}.", markup=False)
    raise typer.Exit(conclusion(seen, results))


def _put(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UnreachableError(f"cannot be written: {error.strerror}", where=str(output)) from None


def _print(seen: Seen, results: tuple[CheckResult, ...]) -> None:
    out = console()
    title = f"{seen.environment.name}: found / needed"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for name in ("host", "system", "cores", "memory", "disk", "verdict"):
        table.add_column(name, overflow="fold")
    for row in report.machine_rows(seen, results):
        colour = _COLOURS[row.worst] if row.worst else "bold red"
        sizes = (size.replace(" / ", "/") for size in (row.cores, row.memory, row.disk))
        cells = (row.host, row.system, *sizes)
        table.add_row(
            *(escape(cell) for cell in cells), f"[{colour}]{row.verdict.partition(',')[0]}[/]"
        )
    out.print(table)
    for block in report.blocks(seen, results):
        note = f" [dim]({escape(block.note)})[/dim]" if block.note else ""
        out.print(f"\n[bold]{escape(block.title)}[/bold]{note}")
        if block.reason:
            _problem("", block.reason, block.remedy)
        for item in block.problems:
            colour = _COLOURS[item.verdict]
            mark = f"[{colour}]{item.verdict}[/] {item.requirement.id}: "
            _problem(mark, item.evidence, item.remedy)
    omitted = report.omitted(seen, results)
    if omitted:
        out.print("\n[bold]Not looked at[/bold]")
    for one in omitted:
        where = f" [dim]({escape(_where(one.hosts, seen))})[/dim]" if one.hosts else ""
        out.print(Padding(f"{one.requirement.id}: {escape(one.reason)}{where}", (0, 0, 0, 2)))
    out.print(f"\n{escape(report.summary(seen, results))}")


def _where(hosts: tuple[str, ...], seen: Seen) -> str:
    """Return hosts by name, or how many where they are many."""
    if len(hosts) == len(seen.answered) > 1:
        return "every host that answered"
    return ", ".join(hosts) if len(hosts) <= 3 else f"{len(hosts)} hosts"


def _problem(mark: str, evidence: str, remedy: str) -> None:
    out = console()
    out.print(Padding(f"{mark}{escape(evidence)}", (0, 0, 0, 2)))
    for line in remedy.splitlines():
        out.print(Padding(f"[dim]→ {escape(line.strip())}[/dim]", (0, 0, 0, 4)))
