"""The commands ``databases plan`` and ``databases apply``: PostgreSQL of an environment."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from fhirstack.cli import changes as shown
from fhirstack.cli.console import console
from fhirstack.cli.opened import Opened
from fhirstack.cli.options import (
    DEFAULT_FILE,
    EnvironmentName,
    Format,
    SiteFile,
    check_format,
    need_terminal,
)
from fhirstack.cli.progress import step
from fhirstack.errors import CheckFailedError, ExitCode, UnreachableError
from fhirstack.model.host import Role
from fhirstack.page.database import with_replicas
from fhirstack.planes import databases
from fhirstack.planes.databases import remote
from fhirstack.planes.hosts import passwords
from fhirstack.planes.hosts.desired import postgresql
from fhirstack.planes.hosts.inputs import inputs_for, store_of
from fhirstack.planes.hosts.store import Store
from fhirstack.planes.local.account import own_account
from fhirstack.planes.plane import Change, effective
from fhirstack.services import catalogue


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
    """Yield what differs; the changes can be made while the block lasts.

    With it the store, in which secrets that are yet to be made are drafted.

    Raises UnreachableError where PostgreSQL does not answer, or refuses.
    """
    opened = Opened(file, name, None, [Role.DATABASE])
    environment = opened.environment
    directory = file.resolve().parent
    store = store_of(directory, environment)
    secrets = inputs_for(directory, environment, store).secrets
    desired = with_replicas(catalogue.databases(environment))
    unused = catalogue.unused_databases(environment)
    opened.connect()
    with remote.reached(opened.connections, opened.hosts[0].name) as server:
        with step(f"databases of {server.host}"):
            connection = server.open()
        try:
            with connection:
                expected = databases.Expected(
                    postgresql.data_directory(opened.hosts[0]),
                    opened.site.programme,
                    environment.name,
                )
                found = databases.plan(
                    connection, desired, secrets, server.open, unused, expected=expected
                )
                yield [*passwords.made(store, desired, found), *found], store
        except psycopg.Error as error:
            raise UnreachableError(
                f"its PostgreSQL refused, or was lost: {error}".strip(),
                where=server.host,
                remedy="what was made stays; run it again",
            ) from error


def _tell(found: list[Change], format: str) -> None:
    if format == "json":
        print(json.dumps({"changes": [c.as_dict() for c in found]}, indent=2, default=str))
        return
    shown.tell(found)
    if not effective(found):
        console().print("Nothing differs.")
