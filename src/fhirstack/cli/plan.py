"""The command `plan`: of the stack on this machine, or with `-e` of an environment's hosts."""

from pathlib import Path
from typing import Annotated

import typer

from fhirstack.cli.options import (
    DEFAULT_FILE,
    DEFAULT_STACK,
    EnvironmentName,
    Everything,
    Format,
    HostNames,
    Name,
    RoleNames,
    SiteFile,
    check_format,
    check_output,
)
from fhirstack.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(plan)


def plan(
    name: Name = DEFAULT_STACK,
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
    check_format(format)
    check_output(save)
    # Each alone is imported: the other takes its time.
    if environment:
        from fhirstack.cli.hosts import plan_hosts  # noqa: PLC0415

        plan_hosts(file, environment, host, role, format, save, everything)
        return
    if host or role or save:
        raise UsageError("hosts of which environment?", remedy="-e NAME")
    from fhirstack.cli.local import plan_stack  # noqa: PLC0415

    plan_stack(name, format)
