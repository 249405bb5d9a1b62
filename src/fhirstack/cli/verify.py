"""The command ``verify``, and printing its results."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from fhirstack.checks import report
from fhirstack.checks import verify as checking
from fhirstack.checks.check import Result
from fhirstack.checks.leftovers import verifying
from fhirstack.checks.local import session_of
from fhirstack.checks.running import listed
from fhirstack.cli.console import console
from fhirstack.cli.options import check_output
from fhirstack.errors import CheckFailedError, UsageError
from fhirstack.page.results import Verdict
from fhirstack.planes.local import stack as stacks
from fhirstack.planes.local.account import write_file
from fhirstack.planes.local.platform import Platform, existing, open_platform

RECORD = "verified.json"
_SIGNS = {
    Verdict.OK: "[green]ok[/green]     ",
    Verdict.FAILED: "[red]FAILED[/red] ",
    Verdict.SKIPPED: "[yellow]skipped[/yellow]",
}


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(verify)


def verify(
    only: Annotated[
        list[str] | None, typer.Argument(help="Ids, or how they begin; all checks if none.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="The stack.")] = stacks.DEFAULT_NAME,
    format: Annotated[str, typer.Option("--format", help="table, json or junit.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", help="Write it to a file.")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List the checks only.")] = False,
) -> None:
    """Prove that the platform does what the page asks: names, tokens, records, closed ports."""
    if format not in ("table", "json", "junit"):
        raise UsageError(f"no format {format}", remedy="Use table, json or junit.")
    check_output(output)
    stages = checking.choose(only or [])
    if show_list:
        for check in listed(stages):
            console().print(f"{check.id:<36}{check.requirement}\n    {check.title}")
        return
    platform = open_platform(existing(name))
    shown = show if format == "table" and output is None else _quiet
    started = time.monotonic()
    if only:
        with verifying(platform.stack.root), session_of(platform) as session:
            results = checking.verify(session, stages, shown)
    else:
        results = verify_all(platform, shown)
    if format == "json":
        text = report.as_json(results) + "\n"
    elif format == "junit":
        text = report.as_junit(results, name)
    else:
        text = "".join(f"{r.verdict:<8} {r.check.id:<30} {r.evidence}\n" for r in results)
    if output is not None:
        output.write_text(text, encoding="utf-8")
    elif format != "table":
        print(text, end="")
    conclude(name, results, time.monotonic() - started)


def verify_all(platform: Platform, shown: Callable[[Result], None]) -> list[Result]:
    """Run every check, and keep what came out beside the stack."""
    with verifying(platform.stack.root), session_of(platform) as session:
        results = checking.verify(session, checking.STAGES, shown)
    record = checking.record_of(results).as_json()
    write_file(platform.stack.path(RECORD), record.encode(), platform.owner)
    return results


def verified(platform: Platform) -> checking.Record | None:
    """Return the record of the last whole run, if there was one."""
    try:
        return checking.read_record(platform.stack.path(RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def show(result: Result) -> None:
    """Print one result: its verdict, id, title and evidence."""
    out = console()
    out.print(f"{_SIGNS[result.verdict]} {result.check.id:<35} {result.check.title}")
    if result.verdict is not Verdict.OK:
        out.print(f"        {escape(result.evidence)}")


def _quiet(result: Result) -> None:
    """Print nothing: the whole report comes at the end."""


def conclude(name: str, results: list[Result], seconds: float) -> None:
    """Print the sum of a run that took ``seconds``. Raises CheckFailedError if a check failed."""
    counts = report.count(results)
    total = ", ".join(f"{counts[verdict]} {verdict}" for verdict in _SIGNS)
    console(stderr=True).print(f"verify: {total}; {seconds:.1f} s")
    failed = [result.check.id for result in results if result.verdict is Verdict.FAILED]
    if failed:
        option = stacks.option(name)
        raise CheckFailedError(
            f"{len(failed)} checks failed: {', '.join(failed)}",
            remedy=f"./fhirstack verify {failed[0]}{option}; ./fhirstack logs fhir-gateway{option}",
        )
