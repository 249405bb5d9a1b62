"""How plans of hosts, and what became of them, are shown to people."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from rich.markup import escape

from fhirstack.cli import changes as others
from fhirstack.cli.console import console
from fhirstack.errors import CheckFailedError, FhirstackError, UnreachableError
from fhirstack.planes.hosts import plane
from fhirstack.planes.hosts.calls import Doing
from fhirstack.planes.plane import Action, Change

_SHOWN_LINES = 12
"""Of one difference of a text; `--all` shows what the host sent."""


def tell(found: plane.Plan, format: str, everything: bool) -> None:
    """Print a plan: what hosts have alike once, and a line that sums it up."""
    if format == "json":
        print(json.dumps(plane.as_dict(found), indent=2))
        return
    out = console()
    if found.site:
        out.print("[bold]here, in secrets/[/bold]")
        for change in found.site:
            _show(change, everything)
    for names, changes in _alike(found).items():
        title = (
            f"all {len(names)} hosts" if len(names) == len(found.hosts) > 1 else ", ".join(names)
        )
        out.print(f"[bold]{title}[/bold]")
        for change in changes:
            _show(change, everything)
    _tell_accepted(found, everything)
    for error in (*found.errors.values(), *found.unseen):
        out.print(f"[red]✗[/red] {escape(str(error))}")
    for name in found.later:
        out.print(f"{name}: after the load balancer, which does not let anybody to it yet")
    for host in found.hosts.values():
        if host.unconfirmed:
            out.print(
                f"[yellow]![/yellow] {host.host}: an apply was not confirmed; the host puts back"
                " what it had, or the next apply does so at once"
            )
    _tell_databases(found.databases)
    out.print(_summary(found))


def _summary(found: plane.Plan) -> str:
    differ = [host for host in found.hosts.values() if host.effective]
    disrupt = sum(change.disrupts for change in found.changes)
    line = f"{len(found.hosts)} hosts: {len(found.hosts) - len(differ)} as declared"
    if differ:
        line += f", {len(differ)} differ in {len(found.changes)} places"
    if disrupt:
        line += f", {disrupt} of which interrupt a service"
    if found.errors:
        line += f"; {len(found.errors)} could not be looked at"
    if found.later:
        line += f"; {len(found.later)} come later"
    if found.site:
        line += f"; {len(found.site)} secrets and certificates are to be made"
    if found.databases.effective:
        line += f"; databases differ in {len(found.databases.effective)} places"
    return f"{line}."


def _tell_accepted(found: plane.Plan, everything: bool) -> None:
    """Print what the site accepts, for who asks for all; and always what it accepts in vain."""
    out = console()
    for name, host in found.hosts.items() if everything else ():
        for change, reason in host.accepted:
            address = change.address.partition("/")[2]
            out.print(f"[dim]accepted[/dim] {name}: {escape(address)}: {escape(reason)}")
    for note in found.notes:
        out.print(f"[yellow]![/yellow] {escape(note)}")


def _tell_databases(beside: plane.Beside) -> None:
    if beside.changes:
        console().print("[bold]databases[/bold]")
        others.tell(beside.changes)
    if beside.note:
        console().print(escape(beside.note))
    if beside.error:
        console().print(f"[red]✗[/red] {escape(str(beside.error))}")


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


def conclude(found: plane.Plan, remedy: str) -> None:
    """Raise what a plan means for the exit code; nothing where no host differs."""
    if found.errors or found.unseen:
        raise unreachable(found)
    if found.databases.error:
        raise UnreachableError("the databases could not be looked at")
    if found.changes or found.site:
        raise CheckFailedError("there are differences", remedy=remedy)
    if found.databases.effective:
        raise CheckFailedError(
            "there are differences in the databases", remedy=found.databases.remedy
        )


def unreachable(found: plane.Plan) -> FhirstackError:
    """Return the error for hosts that could not be looked at, or not as a whole."""
    names = {*found.errors, *(host.host for host in found.hosts.values() if host.errors)}
    return UnreachableError(
        f"{len(names)} hosts could not be looked at: {', '.join(sorted(names))}",
        remedy="nothing was changed on them",
    )


@contextmanager
def progress() -> Iterator[Doing]:
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


def told(outcome: plane.Outcome) -> None:
    """Print what became of one host."""
    out = console(stderr=True)
    if outcome.undone:
        out.print(f"[yellow]![/yellow] {outcome.host}: an unconfirmed change was put back first")
    if outcome.errors:
        waits = f", {len(outcome.waiting)} wait for that" if outcome.waiting else ""
        out.print(
            f"[red]✗[/red] {outcome.host}: {len(outcome.done)} resources changed,"
            f" {len(outcome.errors)} failed{waits}"
        )
    else:
        out.print(f"[green]✓[/green] {outcome.host}: {len(outcome.done)} resources changed")


def outcome_as_dict(outcome: plane.Outcome) -> dict[str, Any]:
    """Return what became of one host, for ``--format json``."""
    return {
        "done": list(outcome.done),
        "errors": [str(error) for error in outcome.errors],
        "waiting": list(outcome.waiting),
        "undone": outcome.undone,
    }


def conclude_apply(found: plane.Plan, outcomes: list[plane.Outcome], seconds: float) -> None:
    """Print what an apply came to. Raises UnreachableError where a host failed."""
    failed = [outcome for outcome in outcomes if outcome.errors]
    for outcome in failed:
        for error in outcome.errors:
            console(stderr=True).print(f"[red]{escape(str(error))}[/red]")
        if outcome.waiting:
            text = f"{outcome.host}: not begun, as they need it: {', '.join(outcome.waiting)}"
            console(stderr=True).print(escape(text))
    reached = {outcome.host for outcome in outcomes}
    waiting = [name for name, host in found.hosts.items() if host.effective and name not in reached]
    parts = []
    if failed:
        parts.append(f"{len(failed)} hosts failed: {', '.join(o.host for o in failed)}")
    if waiting:
        parts.append(f"not begun: {', '.join(waiting)}")
    unseen = {
        *found.errors,
        *found.later,
        *(host.host for host in found.hosts.values() if host.errors),
    }
    if unseen - {outcome.host for outcome in failed}:
        parts.append(f"not looked at, or not as a whole: {', '.join(sorted(unseen))}")
    if parts:
        raise UnreachableError(
            "; ".join(parts), remedy="what was done stays; apply again goes on from there"
        )
    console(stderr=True).print(f"{len(outcomes)} hosts are as declared. {seconds:.1f} s")
