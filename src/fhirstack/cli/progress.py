"""Showing long work: what is being done, and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from fhirstack.cli.console import console

SHOWN_FROM_SECONDS = 0.5
"""Quicker steps need no line of their own: a run with nothing to do stays quiet."""


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show a step on standard error: a spinner on a terminal, one line when it ended."""
    out = console(stderr=True)
    started = time.monotonic()
    failed = True
    try:
        if out.is_terminal:
            with out.status(f"{title} …"):
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
