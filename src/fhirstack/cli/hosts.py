"""Commands on the hosts of an environment: apply, drift, trust, ssh, run; and `plan -e`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

import typer
from rich.markup import escape

from fhirstack.cli.console import console
from fhirstack.cli.options import (
    DEFAULT_FILE,
    EnvironmentName,
    Everything,
    Format,
    HostNames,
    RoleNames,
    SiteFile,
    chosen,
    open_environment,
)
from fhirstack.cli.progress import step
from fhirstack.errors import (
    CheckFailedError,
    ExitCode,
    FhirstackError,
    UnreachableError,
    UsageError,
)
from fhirstack.model.host import Host, Role
from fhirstack.model.site import Site
from fhirstack.planes.hosts import plane, trust
from fhirstack.planes.hosts.calls import Doing
from fhirstack.planes.hosts.desired import desired as declared
from fhirstack.planes.hosts.desired.order import waves
from fhirstack.planes.hosts.inputs import inputs_for
from fhirstack.planes.hosts.ssh import Connections
from fhirstack.planes.plane import Action, Change

_SHOWN_LINES = 12
"""Of one difference of a text; `--all` shows what the host sent."""


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (apply, drift):
        app.command()(command)
    app.command(name="trust")(trust_hosts)
    app.command()(ssh)
    app.command(context_settings={"ignore_unknown_options": True})(run)


class Opened:
    """A site's environment, the hosts that were chosen, and how they are reached."""

    def __init__(
        self, file: Path, environment: str, hosts: list[str] | None, roles: list[Role] | None
    ) -> None:
        self.file = file
        self.site: Site
        self.site, self.environment = open_environment(file, environment)
        self.hosts: tuple[Host, ...] = chosen(self.environment, hosts, roles)
        self.connections = Connections(self.environment, file)

    def desired(self) -> plane.Desired:
        """Return what each chosen host is to have."""
        inputs = inputs_for(self.file.resolve().parent, self.environment)
        return {host.name: declared(self.environment, host, inputs) for host in self.hosts}

    def connect(self) -> None:
        """Know the keys on the way, and open the connection that all share.

        Raises UnreachableError for what nobody gets past.
        """
        entry = [h.name for h in self.environment.hosts_of(Role.LOAD_BALANCER)]
        way = [f"{self.environment.name}-bastion", *entry, *(host.name for host in self.hosts)]
        for name in trust.ensure(self.connections, way):
            console(stderr=True).print(f"Known by the site's fingerprint: {name}")
        with self.connections.shared():
            pass

    def plan(self, desired: plane.Desired) -> plane.Plan:
        """Return how the chosen hosts differ."""
        with step(f"plan of {len(self.hosts)} hosts"):
            self.connect()
            return plane.plan(self.connections, self.site.programme, desired)


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
    found = opened.plan(opened.desired())
    if save:
        _save(save, opened.environment.name, found)
    _tell(found, format, everything)
    _conclude(found, f"fhirstack apply -e {environment}")


def drift(
    environment: EnvironmentName = "",
    file: SiteFile = DEFAULT_FILE,
    host: HostNames = None,
    role: RoleNames = None,
    format: Format = "table",
    everything: Everything = False,
) -> None:
    """Show where hosts have left what is declared, by whatever hand. Changes nothing."""
    opened = Opened(file, environment, host, role)
    found = opened.plan(opened.desired())
    _tell(found, format, everything)
    _conclude(found, f"look at each; `fhirstack apply -e {environment}` puts all of them right")


def apply(
    environment: EnvironmentName = "",
    file: SiteFile = DEFAULT_FILE,
    host: HostNames = None,
    role: RoleNames = None,
    saved: Annotated[
        Path | None, typer.Option("--plan", help="Only what this saved plan says.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    format: Format = "table",
    everything: Everything = False,
) -> None:
    """Make the hosts what is declared. Shows the plan and asks first; safe to run again."""
    opened = Opened(file, environment, host, role)
    desired = opened.desired()
    found = opened.plan(desired)
    if format != "json":
        _tell(found, format, everything)
    if found.errors:
        raise _unreachable(found)
    if saved:
        _compare_saved(saved, opened.environment.name, found)
    if not found.changes:
        if format == "json":
            print(json.dumps({"plan": plane.as_dict(found), "done": {}}, indent=2))
        console(stderr=True).print("Nothing to do.")
        return
    if not yes:
        _ask(found)
    started = time.monotonic()
    try:
        with _progress() as doing:
            outcomes = plane.apply(
                opened.connections,
                opened.site.programme,
                desired,
                found,
                waves(opened.environment),
                doing=doing,
                ended=_told,
            )
    except KeyboardInterrupt:
        console(stderr=True).print("Hosts at work end what they have begun; no further one begins.")
        raise
    if format == "json":
        done = {outcome.host: _outcome(outcome) for outcome in outcomes}
        print(json.dumps({"plan": plane.as_dict(found), "done": done}, indent=2))
    _conclude_apply(found, outcomes, time.monotonic() - started)


def trust_hosts(
    environment: EnvironmentName = "",
    file: SiteFile = DEFAULT_FILE,
    host: HostNames = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also in place of another key that is known.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Ask machines for their host keys, show the fingerprints, and keep those that you accept."""
    opened = Opened(file, environment, host, None)
    connections = opened.connections
    connections.prepare()
    out = console()
    wanted = {item.name for item in opened.hosts} if host else set(connections.targets)
    for target in connections.targets.values():
        if target.name not in wanted:
            continue
        line = trust.known(connections).get(target.name)
        key = trust.ask(connections, target)
        if line and trust.fingerprint(line) == key.fingerprint:
            out.print(f"known    {target.name} {key.fingerprint}")
            continue
        if line and not replace:
            raise CheckFailedError(
                f"shows {key.fingerprint}, known is {trust.fingerprint(line)}",
                where=target.name,
                remedy="find out why; `--replace` accepts the new one",
            )
        if target.host_key and not key.declared:
            raise CheckFailedError(
                f"shows {key.fingerprint}, the site says {target.host_key}",
                where=target.name,
                remedy="find out which is right, and mend the site or the machine",
            )
        word = "declared" if key.declared else "asked"
        out.print(f"{word:<8} {target.name} {key.fingerprint}")
        if not key.declared and not yes:
            _need_terminal("accept each key with --yes")
            if not typer.confirm("Is this its fingerprint?", err=True):
                raise CheckFailedError("not accepted; nothing after it was asked")
        trust.keep(connections, key)


def ssh(
    name: Annotated[str, typer.Argument(help="The host, or `bastion`.")],
    environment: EnvironmentName = "",
    file: SiteFile = DEFAULT_FILE,
) -> None:
    """Open a shell on a host, by the same way and with the same checks of host keys."""
    opened = Opened(file, environment, None, None)
    name = _target(opened.connections, name)
    way = [target.name for target in _chain(opened.connections, name)]
    trust.ensure(opened.connections, way)
    command = opened.connections.command(name)
    os.execvp(command[0], command)  # noqa: S606 - it takes our place


def run(
    command: Annotated[list[str], typer.Argument(help="After `--`: what to run on each host.")],
    environment: EnvironmentName = "",
    file: SiteFile = DEFAULT_FILE,
    host: HostNames = None,
    role: RoleNames = None,
) -> None:
    """Run a command on hosts, all at once, as the account that logs in. Output is by host."""
    opened = Opened(file, environment, host, role)
    opened.connect()

    def one(name: str) -> tuple[str, int, str]:
        # A name in the quotes of the shell: words are passed on as they were given.
        done = subprocess.run(
            opened.connections.command(name, *command, options=("-o", "BatchMode=yes")),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return name, done.returncode, done.stdout.decode("utf-8", "replace")

    failed = []
    out = console()
    with ThreadPoolExecutor(max_workers=len(opened.hosts)) as pool:
        for name, code, text in pool.map(one, [host.name for host in opened.hosts]):
            out.print(f"[bold]{name}[/bold]" + (f" [red]exit code {code}[/red]" if code else ""))
            for line in text.splitlines():
                out.print(f"  {line}", markup=False, soft_wrap=True)
            if code:
                failed.append(name)
    if failed:
        raise CheckFailedError(f"it failed on {len(failed)} hosts: {', '.join(failed)}")


def _chain(connections: Connections, name: str) -> list[Any]:
    from fhirstack.planes.hosts.ssh import chain  # noqa: PLC0415 - one use

    return list(chain(connections.targets, name))


def _target(connections: Connections, name: str) -> str:
    for known in (name, f"{connections.environment.name}-{name}"):
        if known in connections.targets:
            return known
    names = ", ".join(connections.targets)
    raise UsageError(f"there is no host {name}", remedy=f"one of: {names}")


def _tell(found: plane.Plan, format: str, everything: bool) -> None:
    if format == "json":
        print(json.dumps(plane.as_dict(found), indent=2))
        return
    if format != "table":
        raise UsageError(f"no format {format}", remedy="Use table or json.")
    out = console()
    for names, changes in _alike(found).items():
        title = (
            f"all {len(names)} hosts" if len(names) == len(found.hosts) > 1 else ", ".join(names)
        )
        out.print(f"[bold]{title}[/bold]")
        for change in changes:
            _show(change, everything)
    for error in found.errors.values():
        out.print(f"[red]✗[/red] {escape(str(error))}")
    differ = [host for host in found.hosts.values() if host.effective]
    disrupt = sum(change.disrupts for change in found.changes)
    line = f"{len(found.hosts)} hosts: {len(found.hosts) - len(differ)} as declared"
    if differ:
        line += f", {len(differ)} differ in {len(found.changes)} places"
    if disrupt:
        line += f", {disrupt} of which interrupt a service"
    if found.errors:
        line += f"; {len(found.errors)} could not be looked at"
    out.print(f"{line}.")


def _alike(found: plane.Plan) -> dict[tuple[str, ...], list[Change]]:
    """Return changes by the hosts that have them alike: what most have first."""
    same: dict[str, list[tuple[str, Change]]] = {}
    for name, host in found.hosts.items():
        for change in host.changes:
            told = {**change.as_dict(), "address": change.address.partition("/")[2]}
            same.setdefault(json.dumps(told, sort_keys=True), []).append((name, change))
    grouped: dict[tuple[str, ...], list[Change]] = {}
    for some in same.values():
        grouped.setdefault(tuple(name for name, _ in some), []).append(some[0][1])
    return dict(sorted(grouped.items(), key=lambda item: -len(item[0])))


def _show(change: Change, everything: bool) -> None:
    out = console()
    address = change.address.partition("/")[2]
    notes = [change.reason] if change.reason else []
    notes += _differences(change.before, change.after)
    if change.disrupts:
        notes.append("interrupts it")
    colour = {Action.CREATE: "green", Action.START: "green", Action.REPORT: "dim"}
    word = f"[{colour.get(change.action, 'yellow')}]{change.action:<7}[/]"
    text = f"  {word} {escape(address)}" + (f": {escape('; '.join(notes))}" if notes else "")
    out.print(text)
    if change.diff and (everything or change.action is not Action.CREATE):
        lines = change.diff.splitlines()
        shown = lines if everything else lines[:_SHOWN_LINES]
        for line in shown:
            out.print(f"          {line}", markup=False, overflow="ellipsis", no_wrap=True)
        if len(lines) > len(shown):
            out.print(f"          … {len(lines) - len(shown)} more lines: --all")


def _differences(before: Any, after: Any) -> list[str]:
    """Write what was and what is to be, for people; digests of contents say nothing to them."""
    if isinstance(before, dict):
        wanted = after if isinstance(after, dict) else {}
        return [
            f"{key} {_differences(value, wanted.get(key))[0]}"
            for key, value in before.items()
            if key != "content"
        ]
    if before is None and after is None:
        return []
    if before is None or after is None:
        return [f"{after if before is None else before}"]
    return [f"{before} → {after}"]


def _conclude(found: plane.Plan, remedy: str) -> None:
    if found.errors:
        raise _unreachable(found)
    if found.changes:
        raise CheckFailedError("there are differences", remedy=remedy)


def _unreachable(found: plane.Plan) -> FhirstackError:
    return UnreachableError(
        f"{len(found.errors)} hosts could not be looked at: {', '.join(found.errors)}",
        remedy="nothing was changed on any host",
    )


def _ask(found: plane.Plan) -> None:
    _need_terminal("look at the plan, then add --yes")
    hosts = len({change.address.partition("/")[0] for change in found.changes})
    if not typer.confirm(f"Make these changes on {hosts} hosts?", err=True):
        raise typer.Exit(ExitCode.DIFFERENCES)


def _need_terminal(remedy: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here: this is no terminal", remedy=remedy)


def _save(path: Path, environment: str, found: plane.Plan) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps({"environment": environment, **plane.as_dict(found)}, indent=2))
    part.chmod(0o600)
    part.replace(path)


def _compare_saved(path: Path, environment: str, found: plane.Plan) -> None:
    try:
        saved = json.loads(path.read_text())
        hosts = {name: entry["fingerprint"] for name, entry in saved["hosts"].items()}
        known = saved["environment"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"is not a saved plan: {error}", where=str(path), remedy="fhirstack plan --save"
        ) from None
    if known != environment:
        raise UsageError(f"is a plan of {known}, not of {environment}", where=str(path))
    changed = [n for n, plan in found.hosts.items() if hosts.get(n) != plan.fingerprint]
    if changed:
        raise CheckFailedError(
            f"since it was saved, these changed: {', '.join(changed)}; nothing was done",
            where=str(path),
            remedy="look at the plan above; save it anew, or apply without --plan",
        )


@contextmanager
def _progress() -> Iterator[Doing]:
    """Show what each host is doing: live on a terminal; in a pipe only what ended is told."""
    out = console(stderr=True)
    now: dict[str, str] = {}
    lock = Lock()
    if not out.is_terminal:
        yield lambda host, what: None
        return
    with out.status("apply …") as status:

        def doing(host: str, what: str) -> None:
            with lock:
                now[host] = what
                width = max(out.width - 6, 20)
                lines = [f"{name}: {text}"[:width] for name, text in now.items()]
                status.update(escape("\n".join(lines[-12:])))

        yield doing


def _told(outcome: plane.Outcome) -> None:
    out = console(stderr=True)
    if outcome.undone:
        out.print(f"[yellow]![/yellow] {outcome.host}: an unconfirmed change was put back first")
    if outcome.error:
        out.print(f"[red]✗[/red] {outcome.host}: {len(outcome.done)} done, then it failed")
    else:
        out.print(f"[green]✓[/green] {outcome.host}: {len(outcome.done)} resources changed")


def _outcome(outcome: plane.Outcome) -> dict[str, Any]:
    error = str(outcome.error) if outcome.error else None
    return {"done": list(outcome.done), "error": error, "undone": outcome.undone}


def _conclude_apply(found: plane.Plan, outcomes: list[plane.Outcome], seconds: float) -> None:
    failed = [outcome for outcome in outcomes if outcome.error]
    for outcome in failed:
        console(stderr=True).print(f"[red]{escape(str(outcome.error))}[/red]")
    reached = {outcome.host for outcome in outcomes}
    waiting = [name for name, host in found.hosts.items() if host.effective and name not in reached]
    if failed:
        rest = f"; not begun: {', '.join(waiting)}" if waiting else ""
        raise UnreachableError(
            f"{len(failed)} hosts failed: {', '.join(o.host for o in failed)}{rest}",
            remedy="what was done stays; apply again goes on from there",
        )
    console(stderr=True).print(f"{len(outcomes)} hosts are as declared. {seconds:.1f} s")
