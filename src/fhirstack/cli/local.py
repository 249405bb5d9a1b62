"""Commands for a stack on this machine: up, status, logs, restart, down, secret."""

import json
import os
import time
from typing import Annotated

import typer
from rich.table import Table

from fhirstack.checks import leftovers
from fhirstack.checks.check import Result
from fhirstack.cli import changes as shown
from fhirstack.cli.console import console
from fhirstack.cli.options import Format, Name, check_format
from fhirstack.cli.progress import step
from fhirstack.cli.verify import conclude, show, verified, verify_all
from fhirstack.errors import CheckFailedError, UnreachableError, UsageError
from fhirstack.page.results import Verdict
from fhirstack.planes.local import stack as stacks
from fhirstack.planes.local import status as observing
from fhirstack.planes.local import up as bringing
from fhirstack.planes.local.account import remove_tree
from fhirstack.planes.local.platform import Platform, exclusive, existing, open_platform
from fhirstack.planes.local.runtime import down as take_down
from fhirstack.planes.local.supervisor import Supervisor
from fhirstack.planes.plane import effective
from fhirstack.services import fhir_web
from fhirstack.services.keycloak import CONSOLE_SECRET, CONSOLE_USER


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (up, status, logs, restart, down, secret):
        app.command()(command)


def up(
    name: Name = stacks.DEFAULT_NAME,
    port_base: Annotated[
        int | None, typer.Option("--port-base", help="First port of the stack's block of 100.")
    ] = None,
    without: Annotated[
        str, typer.Option("--without", help="analytics: the core alone.", metavar="PART")
    ] = "",
    added: Annotated[
        str, typer.Option("--with", help="analytics: also what was left out.", metavar="PART")
    ] = "",
    fhir_web: Annotated[
        str | None,
        typer.Option("--fhir-web", help="FHIR Web, unpacked or built. '': none.", metavar="DIR"),
    ] = None,
) -> None:
    """Make every service run on this machine, then verify it. Safe to run again."""
    if port_base is not None:
        stacks.check_port_base(port_base)
    wanted = bringing.Wanted(port_base, _analytics(without, added), fhir_web)
    result = _brought_up(name, wanted)
    out = console()
    if result.moved_ports:
        first = result.platform.stack.port_base
        out.print(f"The usual ports are taken: this stack has {first} to {first + 99}.")
    for change in result.reports:
        out.print(f"[yellow]![/yellow] {change.plane} {change.address}: {change.reason}")
    if result.changes:
        out.print(f"{len(result.changes)} changes were made.")
    else:
        out.print("Nothing changed.")
    out.print(_addresses(result.platform))
    last = None if result.changes else verified(result.platform)
    if last and not last.failed:
        out.print(
            f"Verified at {last.at}: {last.ok} ok, {last.skipped} skipped."
            f" Again: ./fhirstack verify{stacks.option(name)}"
        )
        return
    started = time.monotonic()
    with step("verify"):
        results = verify_all(result.platform, _show_if_not_ok)
    conclude(name, results, time.monotonic() - started)


def _brought_up(name: str, wanted: bringing.Wanted) -> bringing.Result:
    """Bring a stack up; what a killed `verify` left is nobody's when the realm is compared."""
    result = bringing.up(name, wanted, step, leftovers.remove_people)
    leftovers.remove(result.platform)
    return result


def _analytics(without: str, added: str) -> bool | None:
    for option, part in (("--without", without), ("--with", added)):
        if part not in ("", "analytics"):
            raise UsageError(f"there is no part {part}", remedy=f"{option} analytics")
    if without and added:
        raise UsageError("--with and --without contradict each other")
    return bool(added) if without or added else None


def _show_if_not_ok(result: Result) -> None:
    if result.verdict is not Verdict.OK:
        show(result)


def plan_stack(name: str, format: str) -> None:
    """Show what `up` would change: files, processes, databases, realm. Changes nothing."""
    found = bringing.plan(open_platform(existing(name)))
    remedy = f"./fhirstack up{stacks.option(name)}"
    if format == "json":
        print(
            json.dumps(
                {"changes": [c.as_dict() for c in found.changes], "unseen": found.unseen},
                indent=2,
                default=str,
            )
        )
    else:
        out = console()
        shown.tell(found.changes)
        for reason in found.unseen:
            out.print(f"skipped  {reason}", markup=False)
        if not found.changes and not found.unseen:
            out.print("Nothing differs.")
    if found.unseen:
        raise UnreachableError("not everything could be looked at", remedy=remedy)
    if effective(list(found.changes)):
        raise CheckFailedError("there are differences", remedy=remedy)


def _addresses(platform: Platform) -> Table:
    environment = platform.environment
    option = stacks.option(platform.stack.name)
    table = Table(title=None, box=None, pad_edge=False, header_style="bold")
    table.add_column("what", no_wrap=True)
    table.add_column("address or account", overflow="fold")
    table.add_row("FHIR (gateway)", environment.fhir_base)
    if environment.runs("superset"):
        table.add_row("Dashboards (Superset)", environment.url("superset"))
    if fhir_web.reason(environment) is None:
        table.add_row("FHIR Web", environment.url("web"))
    table.add_row("Keycloak realm", environment.issuer)
    table.add_row("Keycloak console", f"{platform.keycloak_inside}/admin (this machine only)")
    table.add_row("Its user", f"{CONSOLE_USER}: ./fhirstack secret {CONSOLE_SECRET}{option}")
    table.add_row("FHIR server", f"{platform.fhir_backend} (this machine only)")
    table.add_row("CA to trust", str(platform.certificate_authority))
    table.add_row(
        "Realm's first user",
        f"{bringing.ADMINISTRATOR}: ./fhirstack secret user-administrator{option}",
    )
    return table


def status(name: Name = stacks.DEFAULT_NAME, format: Format = "table") -> None:
    """Show each service: its state, memory and, if it fails, its last log lines."""
    check_format(format)
    found = existing(name)
    services = observing.observe(found)
    if format == "json":
        print(json.dumps([service.as_dict() for service in services], indent=2))
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("service", "state", "ready", "pid", "restarts", "memory"):
            table.add_column(column, justify="right" if column in ("pid", "memory") else "left")
        for service in services:
            table.add_row(
                service.name,
                service.state,
                "yes" if service.ready else "no",
                str(service.pid or "-"),
                str(service.restarts),
                f"{service.memory // 2**20} MiB",
            )
        console().print(table)
        for service in services:
            if service.failing:
                console().print(f"\n{service.name} is failing. Its last lines:")
                console().print(service.last_lines, markup=False)
        absent = fhir_web.reason(open_platform(found).environment)
        if absent:
            console().print(f"fhir-web does not run: {absent}", markup=False)
    if not all(service.ready for service in services):
        remedy = f"./fhirstack up{stacks.option(name)}"
        raise CheckFailedError("not every service is ready", remedy=remedy)


def logs(
    service: Annotated[str, typer.Argument(help="A service of `status`, or supervisord.")],
    name: Name = stacks.DEFAULT_NAME,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many to begin with.")] = 100,
) -> None:
    """Print a service's log."""
    found = existing(name)
    known = sorted(path.stem for path in found.path("log").glob("*.log"))
    if service not in known:
        raise UsageError(f"there is no log of {service}", remedy=f"There are: {', '.join(known)}")
    path = str(found.path("log", f"{service}.log"))
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), path]
    os.execvp("tail", command)  # noqa: S606


def restart(
    service: Annotated[str, typer.Argument(help="A service of `status`; all if none.")] = "",
    name: Name = stacks.DEFAULT_NAME,
) -> None:
    """Stop a service, or all, and start again; wait until ready."""
    found = existing(name)
    supervisor = Supervisor(found.root)
    with exclusive(found.root):
        known = supervisor.processes()
        if service and service not in known:
            raise UsageError(
                f"there is no service {service}", remedy=f"There are: {', '.join(sorted(known))}"
            )
        for process in [service] if service else reversed(list(known)):
            if known[process].state.up:
                with step(f"{process} stops"):
                    supervisor.stop(process)
    _brought_up(name, bringing.Wanted())
    console().print("Restarted.")


def down(
    name: Name = stacks.DEFAULT_NAME,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Remove all data, secrets and logs too.")
    ] = False,
) -> None:
    """Stop every service. Data stays, unless --delete-data is given."""
    root = stacks.stacks_directory() / stacks.check_name(name)
    if delete_data and stacks.find(name) is None and root.exists():
        # What an interrupted first `up` left, before it had a record.
        remove_tree(root)
        console().print("Everything of it is gone.")
        return
    found = existing(name)
    if not delete_data:
        leftovers.remove(open_platform(found))
    with exclusive(found.root), step("services stop"):
        take_down(found, delete_data=delete_data)
    console().print("Everything of it is gone." if delete_data else "Stopped. Its data is kept.")


def secret(
    which: Annotated[str, typer.Argument(help="A secret's name; lists the names if none.")] = "",
    name: Name = stacks.DEFAULT_NAME,
) -> None:
    """Print one secret of the stack, for the person who asked."""
    directory = existing(name).path("secrets")
    known = sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))
    if not which:
        console().print("\n".join(known))
        return
    if which not in known:
        raise UsageError(f"there is no secret {which}", remedy="`secret` alone lists them.")
    print((directory / which).read_text(encoding="ascii").strip())
