"""The commands ``databases plan`` and ``databases apply``: PostgreSQL of an environment."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from fhirstack.cli import changes as shown
from fhirstack.cli.console import console
from fhirstack.cli.databases_seen import planned
from fhirstack.cli.opened import Opened
from fhirstack.cli.options import (
    DEFAULT_FILE,
    EnvironmentName,
    Format,
    SiteFile,
    check_format,
    need_terminal,
)
from fhirstack.errors import CheckFailedError, ExitCode
from fhirstack.model.host import Role
from fhirstack.planes.hosts import passwords
from fhirstack.planes.hosts.store import Store
from fhirstack.planes.local.account import own_account
from fhirstack.planes.plane import Change, effective


def register(app: typer.Typer) -> None:
    """Add the group of commands to the command line."""
    group = typer.Typer(
        help="Databases, roles and rights in an environment's PostgreSQL.", no_args_is_help=True
    )
    group.command()(plan)
    group.command()(apply)
    app.add_typer(group, name="databases")


def plan(
    environment: EnvironmentName = "", file: SiteFile = DEFAULT_FILE, format: Format = "table"
) -> None:
    """Show how databases, roles and rights differ from what services need. Changes nothing."""
    check_format(format)
    with _planned(file, environment) as (found, _):
        _tell(found, format)
        if effective(found):
            raise CheckFailedError(
                "there are differences", remedy=f"fhirstack databases apply -e {environment}"
            )


def apply(
    environment: EnvironmentName = "",
    file: SiteFile = DEFAULT_FILE,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    format: Format = "table",
) -> None:
    """Make databases, roles and rights what services need. Data is never deleted."""
    check_format(format)
    with _planned(file, environment) as (found, store):
        _tell(found, format)
        todo = effective(found)
        if not todo:
            return
        passwords.refuse_strange(environment, store, found)
        if not yes:
            need_terminal("look at the plan, then add --yes")
            if not typer.confirm(f"Make these {len(todo)} changes?", err=True):
                raise typer.Exit(ExitCode.DIFFERENCES)
        store.keep(own_account())
        for change in todo:
            if change.apply:
                change.apply()
    with _planned(file, environment) as (left, _):
        if effective(left):
            raise CheckFailedError(
                "something still differs: " + ", ".join(c.address for c in effective(left)),
                remedy=f"fhirstack databases plan -e {environment}",
            )
    console(stderr=True).print(f"{len(todo)} changes were made; nothing differs.")


@contextmanager
def _planned(file: Path, name: str) -> Iterator[tuple[list[Change], Store]]:
    """Yield what differs, and the store: see ``databases_seen``."""
    opened = Opened(file, name, None, [Role.DATABASE])
    opened.connect()
    with planned(opened, opened.hosts[0]) as found:
        yield found


def _tell(found: list[Change], format: str) -> None:
    if format == "json":
        print(json.dumps({"changes": [c.as_dict() for c in found]}, indent=2, default=str))
        return
    shown.tell(found)
    if not effective(found):
        console().print("Nothing differs.")
