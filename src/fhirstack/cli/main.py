"""The entry point: all commands together, and errors turned into exit codes."""

import sys

import typer

from fhirstack import __version__
from fhirstack.cli import demo, firewall, hosts, local, plan, preflight, render, site, sync, verify
from fhirstack.cli.console import console
from fhirstack.errors import ExitCode, FhirstackError

app = typer.Typer(
    name="fhirstack",
    help='OpenSRP\'s page "Infrastructure setup" as a running, checked, kept-true platform.',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
site.register(app)
local.register(app)
plan.register(app)
preflight.register(app)
hosts.register(app)
firewall.register(app)
verify.register(app)
sync.register(app)
render.register(app)
demo.register(app)


@app.command()
def version() -> None:
    """Print the version."""
    console().print(__version__)


def main() -> None:
    """Run the command line; every known error ends with its documented exit code."""
    try:
        app(prog_name="fhirstack")
    except FhirstackError as error:
        console(stderr=True).print(f"fhirstack: {error}", style="red", markup=False)
        sys.exit(error.exit_code)
    except SystemExit as end:
        # typer makes this of Ctrl-C, without a word.
        if end.code == ExitCode.INTERRUPTED:
            console(stderr=True).print("Interrupted. Nothing is half-done: run it again.")
        raise
