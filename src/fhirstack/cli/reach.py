"""Commands that reach single hosts: ``trust``, ``ssh``, ``run``."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer
from rich.markup import escape

from fhirstack.cli.console import console
from fhirstack.cli.opened import Opened
from fhirstack.cli.options import (
    DEFAULT_FILE,
    EnvironmentName,
    HostNames,
    RoleNames,
    SiteFile,
    need_terminal,
)
from fhirstack.errors import CheckFailedError, UsageError
from fhirstack.planes.hosts import trust
from fhirstack.planes.hosts.ssh import Connections, chain


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(name="trust")(trust_hosts)
    app.command()(ssh)
    app.command(context_settings={"ignore_unknown_options": True})(run)


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
            need_terminal("accept each key with --yes")
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
    way = [target.name for target in chain(opened.connections.targets, name)]
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
    unknown = opened.connect()

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

    failed = list(unknown)
    out = console()
    for error in unknown.values():
        out.print(f"[red]✗[/red] {escape(str(error))}")
    names = [host.name for host in opened.hosts if host.name not in unknown]
    with ThreadPoolExecutor(max_workers=max(len(names), 1)) as pool:
        for name, code, text in pool.map(one, names):
            out.print(f"[bold]{name}[/bold]" + (f" [red]exit code {code}[/red]" if code else ""))
            for line in text.splitlines():
                out.print(f"  {line}", markup=False, soft_wrap=True)
            if code:
                failed.append(name)
    if failed:
        raise CheckFailedError(f"it failed on {len(failed)} hosts: {', '.join(failed)}")


def _target(connections: Connections, name: str) -> str:
    for known in (name, f"{connections.environment.name}-{name}"):
        if known in connections.targets:
            return known
    names = ", ".join(connections.targets)
    raise UsageError(f"there is no host {name}", remedy=f"one of: {names}")
