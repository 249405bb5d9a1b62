"""The command ``storage prove``: the NFS storage serves those alone that write backups."""

import json
from dataclasses import asdict

import typer
from rich.markup import escape

from fhirstack.cli.console import console
from fhirstack.cli.opened import Opened
from fhirstack.cli.options import DEFAULT_FILE, EnvironmentName, Format, SiteFile, check_format
from fhirstack.cli.progress import step
from fhirstack.errors import CheckFailedError, UnreachableError
from fhirstack.planes.hosts import shares


def register(app: typer.Typer) -> None:
    """Add the group of commands to the command line."""
    group = typer.Typer(help="The NFS storage of an environment.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command(name="prove")(prove_storage)
    app.add_typer(group, name="storage")


def prove_storage(
    environment: EnvironmentName = "",
    file: SiteFile = DEFAULT_FILE,
    format: Format = "table",
) -> None:
    """Write and read a file from every host, as root and not: who may not must be refused."""
    check_format(format)
    opened = Opened(file, environment, None, None)
    shares.server_of(opened.environment)
    with step("storage"):
        opened.connect()
        proof = shares.prove(opened.connections)
    if format == "json":
        told = [{**asdict(one), "wrong": one.wrong} for one in proof.used]
        skipped = dict(proof.skipped)
        print(json.dumps({"server": proof.server, "used": told, "skipped": skipped}, indent=2))
    else:
        _tell(proof)
    if proof.wrong:
        raise CheckFailedError(
            f"{len(proof.wrong)} uses of {proof.server} are not as declared",
            remedy=f"fhirstack drift -e {environment}; a server that refuses: its journal",
        )
    if proof.skipped:
        raise UnreachableError(
            "not everything was proved", remedy="make what was skipped possible, see above"
        )


def _tell(proof: shares.Proof) -> None:
    out = console()
    for words in proof.wrong:
        out.print(f"[red]✗[/red] {escape(words)}")
    for host, reason in proof.skipped.items():
        out.print(f"[yellow]skipped[/yellow] {escape(host)}: {escape(reason)}")
    served = sum(one.served for one in proof.used)
    out.print(
        f"{proof.server}: {len(proof.used)} uses were tried, {served} were served,"
        f" {len(proof.wrong)} are wrong."
    )
