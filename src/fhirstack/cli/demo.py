"""The command ``demo load``."""

import itertools
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fhirstack import demo as programme
from fhirstack.checks import leftovers
from fhirstack.cli.console import console
from fhirstack.cli.progress import step
from fhirstack.planes.iam.users import User, ensure_user
from fhirstack.planes.local import stack as stacks
from fhirstack.planes.local.platform import (
    Platform,
    exclusive,
    existing,
    open_platform,
)
from fhirstack.planes.local.secrets import ensure

group = typer.Typer(help="A small OpenSRP programme with synthetic patients.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(group, name="demo")


@group.callback()
def _demo() -> None:
    """Keep ``load`` a command of its own."""


@group.command()
def load(
    patients: Annotated[int, typer.Option("--patients", min=1, help="How many.")] = 50,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same people.")] = (
        programme.DEFAULT_SEED
    ),
    name: Annotated[str, typer.Option("--name", help="The stack.")] = stacks.DEFAULT_NAME,
) -> None:
    """Put a programme and synthetic patients in place. Loading again changes nothing."""
    found = existing(name)
    platform = open_platform(found)
    leftovers.remove(platform)
    with exclusive(found.root):
        with step("demo users"):
            users = _users(platform)
        loaded = _load(platform, users, patients, seed)
    out = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("resource")
    table.add_column("count", justify="right")
    for kind, count in sorted(loaded.resources.items()):
        table.add_row(kind, str(count))
    out.print(table)
    out.print(f"{loaded.total} resources, {loaded.created} new, in {loaded.seconds:.0f} s.")
    option = stacks.option(name)
    for person in programme.users():
        secret = f"./fhirstack secret user-{person.username}{option}"
        out.print(f"User {person.username} ({', '.join(person.groups)}): {secret}")


def _users(platform: Platform) -> dict[str, str]:
    people = programme.users(platform.environment.application.id)
    directory = platform.stack.path("secrets")
    passwords = ensure(directory, [f"user-{p.username}" for p in people], platform.owner)
    ids = {}
    with platform.keycloak_admin() as admin:
        for person in people:
            user = User(
                username=person.username,
                first_name=person.first,
                last_name=person.last,
                email=person.email,
                app_id=person.app_id,
                groups=person.groups,
            )
            password = passwords[f"user-{person.username}"]
            realm = platform.environment.realm.name
            ids[person.username] = ensure_user(admin, realm, user, password)
    return ids


def _load(platform: Platform, users: dict[str, str], patients: int, seed: int) -> programme.Loaded:
    application = platform.environment.application
    first = programme.transaction(
        programme.programme(application.id, users, sync_strategy=application.sync_strategy),
        name="programme",
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(*columns, TimeElapsedColumn(), console=console(stderr=True))
    tasks: dict[str, int] = {}

    def progress(what: str, done: int, total: int | None) -> None:
        if what not in tasks:
            tasks[what] = bar.add_task(what, total=total)
        bar.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]

    with bar, platform.fhir() as fhir:
        bundles = itertools.chain([first], programme.patients(patients, seed, progress=progress))
        total = 1 + programme.bundle_count(patients, seed)
        return programme.load(fhir, bundles, progress, total=total)
