"""One console for all commands: 80 columns when piped, no colour when piped or asked."""

from functools import cache

from rich.console import Console


@cache
def console(*, stderr: bool = False) -> Console:
    """Return the console for standard output, or for standard error."""
    found = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not found.is_terminal:
        found = Console(stderr=stderr, highlight=False, width=80, no_color=True)
    return found
