"""The entry point: all commands together, and errors turned into exit codes.

A command's module is imported only where it is asked for: what brings up a stack on this machine
takes longer to import than a look at eleven hosts takes.
"""

import errno
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import typer

from fhirstack import __version__
from fhirstack.bundle.programs import FREE_SPACE, place_remedy
from fhirstack.cli.console import console
from fhirstack.errors import ExitCode, FhirstackError, UsageError

COMMANDS = {
    "site": ("init", "check", "schema", "requirements"),
    "local": ("up", "status", "logs", "restart", "down", "secret"),
    "plan": ("plan",),
    "preflight": ("preflight",),
    "hosts": ("apply", "drift"),
    "reach": ("trust", "ssh", "run"),
    "firewall": ("firewall",),
    "storage": ("storage",),
    "certs": ("certs",),
    "databases": ("databases",),
    "hosts_retire": ("hosts",),
    "verify": ("verify",),
    "sync": ("sync",),
    "render": ("render",),
    "demo": ("demo",),
    "version": ("version",),
}
"""The module of each command."""
MAY_BE_EMPTY = ("--fhir-web",)
"""Options that take something away where nothing is given."""


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


def refuse_empty(words: Sequence[str]) -> None:
    """Raise UsageError for an empty word: it would mean all, or the usual, and nobody meant that.

    What comes after ``--`` is another program's.
    """
    before = "fhirstack"
    for word in words:
        if word == "--":
            return
        option, given, value = word.partition("=")
        named, value = (option, value) if given and option.startswith("--") else (before, word)
        if not value.strip() and named not in MAY_BE_EMPTY:
            raise UsageError(
                f"nothing is given after {named}",
                remedy="Leave it out, or give a value: a variable of the shell may be empty.",
            )
        before = word


def main() -> None:
    """Run the command line; every known error ends with its documented exit code."""
    try:
        refuse_empty(sys.argv[1:])
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
        remedy = FREE_SPACE if full else place_remedy(Path(error.filename))
        text = f"fhirstack: {where}{error.strerror}\n  {remedy}"
        console(stderr=True).print(text, style="red", markup=False)
        sys.exit(ExitCode.UNREACHABLE)
    except SystemExit as end:
        # typer makes this of Ctrl-C, without a word.
        if end.code == ExitCode.INTERRUPTED:
            console(stderr=True).print("Interrupted. Nothing is half-done: run it again.")
        raise
