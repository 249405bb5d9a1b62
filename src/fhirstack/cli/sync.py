"""The command ``sync``."""

import json
import time
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fhirstack.checks import leftovers
from fhirstack.cli.console import console
from fhirstack.cli.options import check_format
from fhirstack.errors import CheckFailedError, UsageError
from fhirstack.planes.local import stack as stacks
from fhirstack.planes.local.platform import existing, open_platform
from fhirstack.planes.local.sync import Event, run


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(sync)


def sync(
    name: Annotated[str, typer.Option("--name", help="The stack.")] = stacks.DEFAULT_NAME,
    full: Annotated[
        bool, typer.Option("--full", help="Read everything again; drop what is not there.")
    ] = False,
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> None:
    """Carry what is new in the FHIR store to the warehouse and make its tables."""
    check_format(format)
    found = existing(name)
    option = stacks.option(name)
    if not found.analytics:
        raise UsageError(
            f"the stack {name} runs without analytics",
            remedy=f"./fhirstack up --with analytics{option}",
        )
    platform = open_platform(found)
    leftovers.remove(platform)
    done = _show(run(platform, full=full))
    if format == "json":
        print(json.dumps(done, indent=2))
    else:
        _print(done)
    if done["status"] != "ok":
        raise CheckFailedError(
            f"not all is well: {done['error']}", remedy=f"./fhirstack logs sync-connectors{option}"
        )


def _show(events: Iterable[Event]) -> dict[str, Any]:
    """Show how far it is, on a terminal; return what was done."""
    out = console(stderr=True)
    began = time.monotonic()
    done: dict[str, Any] = {}
    phase = "load"
    shown = Text("")
    with Live(shown, console=out, refresh_per_second=4, transient=True) as live:
        for event in events:
            kind = event["event"]
            if kind == "phase":
                phase = event["phase"]
                live.update(Text(f"{phase} …"))
            elif kind == "progress":
                seconds = time.monotonic() - began
                live.update(Text(f"{phase}: {_so_far(event, seconds)}"))
            elif kind == "log":
                out.print(f"[yellow]![/yellow] {event['who']}:", end=" ")
                out.print(str(event["message"]), markup=False)
            elif kind == "transformed":
                done["transformed"] = {k: v for k, v in event.items() if k != "event"}
            elif kind == "done":
                done |= {k: v for k, v in event.items() if k != "event"}
    return done


def _so_far(event: Event, seconds: float) -> str:
    """Return how far a load is: of how many, where the server said it."""
    read, of = event["read"], event["of"]
    # What is written meanwhile comes on top of what the server said.
    of_all = "" if of is None else f" of {max(of, read):,}"
    size, rate = event["bytes"] / 10**6, read / max(seconds, 0.001)
    return f"{read:,}{of_all} resources, {size:,.0f} MB, {rate:,.0f}/s, {seconds:.0f} s"


def _print(done: dict[str, Any]) -> None:
    out = console()
    changed = {
        stream: count
        for stream, count in done["streams"].items()
        if count["resources"] or count["deleted"] or count["rejected"]
    }
    if changed:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("table")
        for column in ("written", "deleted", "rejected"):
            table.add_column(column, justify="right")
        for stream, count in changed.items():
            figures = (count[key] for key in ("resources", "deleted", "rejected"))
            table.add_row(stream, *(f"{figure:,}" for figure in figures))
        out.print(table)
    else:
        out.print("Nothing is new.")
    tested = done.get("transformed")
    if tested:
        out.print(f"{tested['models']} models made, {tested['passed']} tests passed.")
        for warned in tested["warned"]:
            out.print(f"[yellow]![/yellow] {warned}")
    out.print(
        f"Run {done['run']}: {done['status']}, {done['resources']:,} resources"
        f" ({done['bytes'] / 10**6:,.1f} MB) in {done['seconds']:.1f} s."
    )
