"""The command `plan`: of the stack on this machine, or with `-e` of an environment's hosts."""

from pathlib import Path
from typing import Annotated

import typer

from fhirstack.cli.hosts import Everything, plan_hosts
from fhirstack.cli.local import Format, Name, plan_stack
from fhirstack.cli.options import DEFAULT_FILE, EnvironmentName, HostNames, RoleNames, SiteFile
from fhirstack.errors import UsageError
from fhirstack.planes.local.stack import DEFAULT_NAME


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(plan)


def plan(
    name: Name = DEFAULT_NAME,
    environment: EnvironmentName = "",
    file: SiteFile = DEFAULT_FILE,
    host: HostNames = None,
    role: RoleNames = None,
    format: Format = "table",
    save: Annotated[
        Path | None, typer.Option("--save", help="Keep it, for `apply --plan`.")
    ] = None,
    everything: Everything = False,
) -> None:
    """Show what would change, and change nothing: on this machine, or with -e on hosts."""
    if environment:
        plan_hosts(file, environment, host, role, format, save, everything)
        return
    if host or role or save:
        raise UsageError("hosts of which environment?", remedy="-e NAME")
    plan_stack(name, format)
