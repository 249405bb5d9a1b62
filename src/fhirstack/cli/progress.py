"""Showing long work: what is being done, and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fhirstack.cli.console import console
from fhirstack.planes.hosts import sudo

SHOWN_FROM_SECONDS = 0.5
"""Quicker steps need no line of their own: a run with nothing to do stays quiet."""


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show a step on standard error: on a terminal as it goes; one line when it ended."""
    out = console(stderr=True)
    started = time.monotonic()
    failed = True
    try:
        if out.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description} …"), TimeElapsedColumn())
            with Progress(*columns, console=out, transient=True) as shown:
                shown.add_task(title, total=None)
                with sudo.paused(shown.stop, shown.start):
                    yield
        else:
            yield
        failed = False
    finally:
        seconds = time.monotonic() - started
        if failed:
            out.print(f"[red]✗[/red] {title} [dim]{seconds:.1f} s[/dim]")
        elif seconds >= SHOWN_FROM_SECONDS:
            out.print(f"[green]✓[/green] {title} [dim]{seconds:.1f} s[/dim]")
