"""The commands ``certs check`` and ``certs request``: certificates of the public names."""

import datetime
import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from fhirstack.cli.console import console
from fhirstack.cli.opened import Opened
from fhirstack.cli.options import (
    DEFAULT_FILE,
    EnvironmentName,
    Format,
    SiteFile,
    check_format,
    open_environment,
)
from fhirstack.errors import CheckFailedError, UsageError
from fhirstack.model.host import Role
from fhirstack.planes.hosts import authority, provided, served
from fhirstack.planes.hosts.inputs import store_of
from fhirstack.planes.hosts.provided import Look
from fhirstack.planes.local.account import own_account


def register(app: typer.Typer) -> None:
    """Add the group of commands to the command line."""
    group = typer.Typer(
        help="Certificates of the public names: Let's Encrypt's, or your own.",
        no_args_is_help=True,
    )
    group.command(name="check")(check)
    group.command(name="request")(request)
    app.add_typer(group, name="certs")


def check(
    environment: EnvironmentName = "", file: SiteFile = DEFAULT_FILE, format: Format = "table"
) -> None:
    """Judge each name's certificate: what you provide, or what the load balancer serves."""
    check_format(format)
    opened = open_environment(file, environment)[1]
    now = datetime.datetime.now(datetime.UTC)
    if opened.tls.issuer == "provided":
        found = provided.look(file.resolve().parent, opened, now)
        remedy = (
            f"fhirstack certs request -e {environment}; have the requests signed, and put what"
            f" comes back into {found.place}"
        )
    else:
        found = _served(file, environment, now)
        remedy = (
            f"every name must lead to {opened.network.public_address}, with TCP port 80 open;"
            f" fhirstack apply -e {environment} --role load-balancer tries again at once"
        )
    own = store_of(file.resolve().parent, opened).due()
    found = replace(found, renewal=(*found.renewal, *own))
    if own:
        remedy += f"; fhirstack apply -e {environment} renews the servers' own"
    if format == "json":
        print(json.dumps(_as_dict(found), indent=2))
    else:
        _tell(found)
    if found.problems:
        raise CheckFailedError(f"{len(found.problems)} problems", where=found.place, remedy=remedy)


def _served(file: Path, name: str, now: datetime.datetime) -> Look:
    opened = Opened(file, name, None, [Role.LOAD_BALANCER])
    opened.connect()
    own = authority.public(file.resolve().parent / opened.environment.secrets_directory / "tls")
    return served.look(opened.connections, own, now)


def request(
    environment: EnvironmentName = "",
    file: SiteFile = DEFAULT_FILE,
    together: Annotated[
        bool, typer.Option("--together", help="One request for all names, not one for each.")
    ] = False,
) -> None:
    """Write a request (CSR) for each name without a certificate. Keys stay in secrets/."""
    opened = open_environment(file, environment)[1]
    if opened.tls.issuer != "provided":
        raise UsageError(
            f"{environment} has certificates of {opened.tls.issuer}: nothing is to be requested",
            where=str(file),
            remedy="write `issuer: provided` and a `directory` below `tls`, if you provide them",
        )
    directory = file.resolve().parent
    written = provided.request(directory, opened, own_account(), together=together)
    out = console()
    if not written:
        out.print("Every name has its certificate: nothing to request.")
        return
    for path in written:
        out.print(f"wrote {path}", markup=False, soft_wrap=True)
    out.print(
        f"The keys are in {provided.keys_of(directory, opened)}: keep them, and give them to"
        " nobody. Have the requests signed, and put what comes back, with all certificates"
        f" between, into {provided.directory_of(directory, opened)}. Then: fhirstack certs check"
        f" -e {environment}",
        markup=False,
    )


def _tell(look: Look) -> None:
    out = console()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("name", "until", "signed by"):
        table.add_column(title, overflow="fold")
    for one in look.names:
        until = f"{one.until:%Y-%m-%d}" if one.until else "-"
        mark = "[red]✗[/red]" if one.problem else "[green]✓[/green]"
        table.add_row(f"{mark} {escape(one.name)}", until, escape(one.issuer) or "-")
    out.print(table)
    for problem in look.problems:
        out.print(f"[red]✗[/red] {escape(problem)}")


def _as_dict(look: Look) -> dict[str, object]:
    return {
        "place": look.place,
        "names": [
            {
                "name": one.name,
                "issuer": one.issuer or None,
                "until": one.until.isoformat() if one.until else None,
                "problem": one.problem or None,
            }
            for one in look.names
        ],
        "files": list(look.files),
        "renewal": list(look.renewal),
    }
