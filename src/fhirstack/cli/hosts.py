"""Commands on the hosts of an environment: ``apply``, ``drift``, and ``plan`` with ``-e``."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fhirstack.cli.console import console
from fhirstack.cli.hosts_shown import (
    conclude,
    conclude_apply,
    outcome_as_dict,
    progress,
    tell,
    told,
    unreachable,
)
from fhirstack.cli.opened import Opened
from fhirstack.cli.options import (
    DEFAULT_FILE,
    EnvironmentName,
    Everything,
    Format,
    HostNames,
    RoleNames,
    SiteFile,
    check_format,
    need_terminal,
)
from fhirstack.errors import CheckFailedError, ExitCode, UsageError
from fhirstack.model.host import Role
from fhirstack.planes.hosts import drafted, left, plane
from fhirstack.planes.hosts.desired.order import waves
from fhirstack.planes.hosts.desired.ssh import CONFIGURATION
from fhirstack.planes.local.account import own_account


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (apply, drift):
        app.command()(command)


def plan_hosts(
    file: Path,
    environment: str,
    hosts: list[str] | None,
    roles: list[Role] | None,
    format: str,
    save: Path | None,
    everything: bool,
) -> None:
    """Show what `apply` would change on the hosts. Changes nothing."""
    opened = Opened(file, environment, hosts, roles)
    found = _with_databases(opened, opened.plan(opened.desired()))
    if save:
        _save(save, opened.environment.name, found)
    tell(found, format, everything)
    conclude(found, f"fhirstack apply -e {environment}")


def _with_databases(opened: Opened, found: plane.Plan) -> plane.Plan:
    """Return the plan with what the databases of the hosts differ in, where there are any."""
    if not any(host.role is Role.DATABASE for host in opened.hosts):
        return found
    # Imported where it is needed: PostgreSQL's library takes its time.
    from fhirstack.cli.databases_seen import beside  # noqa: PLC0415

    return replace(found, databases=beside(opened, found))


def drift(
    environment: EnvironmentName = "",
    file: SiteFile = DEFAULT_FILE,
    host: HostNames = None,
    role: RoleNames = None,
    format: Format = "table",
    everything: Everything = False,
) -> None:
    """Show where hosts and databases left what is declared, by any hand. Changes nothing."""
    check_format(format)
    opened = Opened(file, environment, host, role)
    found = _with_databases(opened, opened.plan(opened.desired()))
    tell(found, format, everything)
    conclude(found, f"look at each; `fhirstack apply -e {environment}` puts all of them right")


def apply(
    environment: EnvironmentName = "",
    file: SiteFile = DEFAULT_FILE,
    host: HostNames = None,
    role: RoleNames = None,
    saved: Annotated[
        Path | None, typer.Option("--plan", help="Only what this saved plan says.")
    ] = None,
    replace_authority: Annotated[
        list[str] | None,
        typer.Option(drafted.OPTION, help="Leave to replace this authority.", metavar="NAME"),
    ] = None,
    leave_data: Annotated[
        bool,
        typer.Option(left.OPTION, help="Leave to begin with an empty PostgreSQL, data elsewhere."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    format: Format = "table",
    everything: Everything = False,
) -> None:
    """Make the hosts what is declared. Shows the plan and asks first; safe to run again."""
    check_format(format)
    opened = Opened(file, environment, host, role)
    opened.leave_data = leave_data
    desired = opened.desired()
    found = opened.plan(desired)
    if unconfirmed := [name for name, host in found.hosts.items() if host.unconfirmed]:
        # What is planned is to be what is changed: from the ground that the host stands on.
        plane.undo(opened.connections, opened.site.programme, unconfirmed)
        found = opened.plan(desired)
    if format != "json":
        tell(found, format, everything)
    if saved:
        if found.errors or found.unseen:
            raise unreachable(found)
        _compare_saved(saved, opened.environment.name, found)
    if not found.changes and (found.errors or found.unseen):
        raise unreachable(found)
    drafted.refuse_replacing(opened.environment.name, found.site, replace_authority or ())
    if not found.changes and not found.site:
        if format == "json":
            print(json.dumps({"plan": plane.as_dict(found), "done": {}}, indent=2))
        console(stderr=True).print("Nothing to do.")
        return
    if not yes:
        _ask(found)
    opened.drafted.store.keep(own_account())
    started = time.monotonic()
    outcomes = _carry_out(opened, desired, found)
    if found.later:
        # Only now does the load balancer let anybody to them.
        rest = {name: desired[name] for name in found.later}
        second = opened.plan(rest)
        if format != "json":
            tell(second, format, everything)
        if second.changes and not yes:
            _ask(second)
        outcomes += _carry_out(opened, rest, second)
        found = found.together_with(second)
    if format == "json":
        done = {outcome.host: outcome_as_dict(outcome) for outcome in outcomes}
        print(json.dumps({"plan": plane.as_dict(found), "done": done}, indent=2))
    conclude_apply(found, outcomes, time.monotonic() - started)


def _carry_out(opened: Opened, desired: plane.Desired, found: plane.Plan) -> list[plane.Outcome]:
    """Apply a plan, wave after wave; whoever comes next comes by what the way is then."""
    try:
        with progress() as doing:
            outcomes = plane.apply(
                opened.connections,
                opened.site.programme,
                desired,
                found,
                waves(opened.environment),
                doing=doing,
                ended=told,
            )
    except KeyboardInterrupt:
        console(stderr=True).print("Hosts at work end what they have begun; no further one begins.")
        raise
    entries = {host.name for host in opened.environment.hosts_of(Role.LOAD_BALANCER)}
    if any(f"file:{CONFIGURATION}" in one.done for one in outcomes if one.host in entries):
        opened.connections.renew()
    return outcomes


def _ask(found: plane.Plan) -> None:
    need_terminal("look at the plan, then add --yes")
    hosts = len({change.address.partition("/")[0] for change in found.changes})
    also = f", and the {len(found.site)} in secrets/" if found.site else ""
    if not typer.confirm(f"Make these changes on {hosts} hosts{also}?", err=True):
        raise typer.Exit(ExitCode.DIFFERENCES)


def _save(path: Path, environment: str, found: plane.Plan) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps({"environment": environment, **plane.as_dict(found)}, indent=2))
    part.chmod(0o600)
    part.replace(path)


def _compare_saved(path: Path, environment: str, found: plane.Plan) -> None:
    try:
        saved = json.loads(path.read_text())
        hosts = {name: entry["fingerprint"] for name, entry in saved["hosts"].items()}
        made = [(change["address"], change["action"]) for change in saved.get("site", ())]
        known = saved["environment"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"is not a saved plan: {error}", where=str(path), remedy="fhirstack plan --save"
        ) from None
    if known != environment:
        raise UsageError(f"is a plan of {known}, not of {environment}", where=str(path))
    changed = [n for n, plan in found.hosts.items() if hosts.get(n) != plan.fingerprint]
    if made != [(change.address, change.action.value) for change in found.site]:
        changed.append(f"secrets/{environment}")
    if changed:
        raise CheckFailedError(
            f"since it was saved, these changed: {', '.join(changed)}; nothing was done",
            where=str(path),
            remedy="look at the plan above; save it anew, or apply without --plan",
        )
