"""The entry point: all commands together, and errors turned into exit codes.

A command's module is imported only where it is asked for: what brings up a stack on this machine
takes longer to import than a look at eleven hosts takes.
"""

import errno
import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from fhirstack import __version__
from fhirstack.cli.console import console
from fhirstack.errors import ExitCode, FhirstackError

COMMANDS = {
    "site": ("init", "check", "schema", "requirements"),
    "local": ("up", "status", "logs", "restart", "down", "secret"),
    "plan": ("plan",),
    "preflight": ("preflight",),
    "hosts": ("apply", "drift"),
    "reach": ("trust", "ssh", "run"),
    "firewall": ("firewall",),
    "certs": ("certs",),
    "databases": ("databases",),
    "verify": ("verify",),
    "sync": ("sync",),
    "render": ("render",),
    "demo": ("demo",),
    "version": ("version",),
}
"""The module of each command."""


def application(words: Sequence[str] = ()) -> typer.Typer:
    """Return the command that the first word names alone; without such a word all of them."""
    app = typer.Typer(
        name="fhirstack",
        help='OpenSRP\'s page "Infrastructure setup" as a running, checked, kept-true platform.',
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    # With one command alone it would need no name.
    app.callback()(lambda: None)
    asked = [module for module, names in COMMANDS.items() if words and words[0] in names]
    for module in asked or COMMANDS:
        if module == "version":
            app.command()(version)
        else:
            import_module(f"fhirstack.cli.{module}").register(app)
    return app


def version() -> None:
    """Print the version."""
    console().print(__version__)


def main() -> None:
    """Run the command line; every known error ends with its documented exit code."""
    try:
        application(sys.argv[1:])(prog_name="fhirstack")
    except FhirstackError as error:
        console(stderr=True).print(f"fhirstack: {error}", style="red", markup=False)
        sys.exit(error.exit_code)
    except OSError as error:
        # A full disk is found by a write, which knows no name.
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        if error.filename is None and not full:
            raise
        where = f"{error.filename}: " if error.filename else ""
        remedy = (
            "Free some space, then run it again." if full else "Mend it, or name another place."
        )
        text = f"fhirstack: {where}{error.strerror}\n  {remedy}"
        console(stderr=True).print(text, style="red", markup=False)
        sys.exit(ExitCode.UNREACHABLE)
    except SystemExit as end:
        # typer makes this of Ctrl-C, without a word.
        if end.code == ExitCode.INTERRUPTED:
            console(stderr=True).print("Interrupted. Nothing is half-done: run it again.")
        raise
