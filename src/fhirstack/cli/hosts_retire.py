"""The command ``hosts retire``: a host leaves its environment."""

import json
from typing import Annotated, Any

import typer
from rich.markup import escape

from fhirstack.cli.console import console
from fhirstack.cli.opened import Opened
from fhirstack.cli.options import DEFAULT_FILE, EnvironmentName, SiteFile, need_terminal
from fhirstack.errors import ExitCode, UnreachableError, UsageError
from fhirstack.model.host import Role
from fhirstack.planes.hosts.retire import retire as ask_host


def register(app: typer.Typer) -> None:
    """Add the group of commands to the command line."""
    group = typer.Typer(help="The life of an environment's hosts.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command()(retire)
    app.add_typer(group, name="hosts")


def retire(
    name: Annotated[str, typer.Argument(help="The host's name in the site.")],
    environment: EnvironmentName = "",
    file: SiteFile = DEFAULT_FILE,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Also databases, backups and images on it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Clean a host that leaves: its services, secrets, keys; data by --delete-data alone.

    It is done while the host is in the site; then take it out of there, and apply.
    """
    opened = Opened(file, environment, [name], None)
    (host,) = opened.hosts
    if host.role is Role.LOAD_BALANCER:
        raise UsageError(
            f"{name} is the way in to all others",
            remedy="give its role and address to another machine in the site, and apply",
        )
    desired = opened.desired()[name]
    errors = opened.connect()
    if name in errors:
        raise _unreachable(str(errors[name]), name)

    def told(*, look: bool) -> dict[str, Any]:
        try:
            answer = ask_host(
                opened.connections, opened.site.programme, host, desired,
                look=look, delete_data=delete_data,
            )  # fmt: skip
        except UnreachableError as error:
            raise _unreachable(str(error), name) from None
        if problem := answer.get("refused") or answer.get("error"):
            raise UnreachableError(str(problem), where=name, remedy="nothing was changed")
        return answer

    _tell(told(look=True), delete_data=delete_data)
    if not yes:
        need_terminal("look at what goes, then add --yes")
        if not typer.confirm(f"Retire {name}?", err=True):
            raise typer.Exit(ExitCode.DIFFERENCES)
    done = told(look=False)
    opened.connections.leave(name)
    note = opened.connections.directory / "retired" / f"{name}.json"
    note.parent.mkdir(mode=0o700, exist_ok=True)
    note.write_text(json.dumps({"host": name, "address": str(host.address), **done}, indent=2))
    if problems := done["errors"]:
        lines = "\n".join(f"  {what}: {why}" for what, why in problems.items())
        raise UnreachableError(
            f"{len(problems)} things could not be cleaned:\n{lines}",
            where=name,
            remedy="the tool's key is still there: put it right, and run this again",
        )
    console(stderr=True).print(
        f"{name} is retired: nobody gets in any more but by its console. Noted in {note}.\n"
        f"Now take it out of {file}, and `fhirstack apply -e {environment}`: until then the other"
        " hosts let it in."
    )


def _tell(told: dict[str, Any], *, delete_data: bool) -> None:
    out = console()
    for word, things in (
        ("stop", told["services"]),
        ("delete", told["secrets"]),
        ("lock", told["accounts"]),
    ):
        for thing in things:
            out.print(f"  {word:<7} {escape(thing)}")
    for one in told["data"]:
        word = "delete" if delete_data else "stays"
        out.print(f"  {word:<7} {escape(one['path'])}: {one['what']}, {one['bytes']:,} bytes")


def _unreachable(why: str, name: str) -> UnreachableError:
    return UnreachableError(
        f"{name} could not be cleaned: {why}",
        remedy="its secrets and data are still on its disk: destroy the disk, or wipe it; take it"
        " out of the site and apply, so that the others shut it out",
    )
