"""Options that commands on an environment's hosts share, and what they choose."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fhirstack.errors import UsageError
from fhirstack.model.host import Host, Role
from fhirstack.model.load import load_site
from fhirstack.model.site import Environment, Site

DEFAULT_FILE = Path("site.yaml")

DEFAULT_STACK = "fhirstack"
"""The name of the stack on this machine."""

Name = Annotated[str, typer.Option("--name", help="The stack's name.", metavar="NAME")]
Format = Annotated[str, typer.Option("--format", help="table or json.", metavar="FORMAT")]
Everything = Annotated[
    bool, typer.Option("--all", help="Also whole new files, and what the site accepts.")
]
SiteFile = Annotated[Path, typer.Option("--file", "-f", help="The site file.")]
EnvironmentName = Annotated[
    str, typer.Option("--environment", "-e", help="Which environment of the site.")
]
HostNames = Annotated[
    list[str] | None, typer.Option("--host", help="Only this host; may be repeated.")
]
RoleNames = Annotated[
    list[Role] | None, typer.Option("--role", help="Only hosts of this role; may be repeated.")
]


def open_environment(file: Path, name: str) -> tuple[Site, Environment]:
    """Return a site and one of its environments.

    Raises SiteError for an invalid site, UsageError for an environment that it does not have.
    """
    site = load_site(file)
    if not name or name not in site.environments:
        known = ", ".join(site.environments)
        what = f"the site has no environment {name}" if name else "which environment?"
        raise UsageError(what, where=str(file), remedy=f"-e with one of: {known}")
    return site, site.environments[name]


def chosen(
    environment: Environment, hosts: list[str] | None, roles: list[Role] | None
) -> tuple[Host, ...]:
    """Return the hosts that ``--host`` and ``--role`` name together; all where neither is given.

    Raises UsageError for a host that the environment does not have.
    """
    known = {host.name for host in environment.hosts}
    for name in hosts or ():
        if name not in known:
            raise UsageError(
                f"{environment.name} has no host {name}",
                remedy=f"one of: {', '.join(sorted(known))}",
            )
    if not hosts and not roles:
        return environment.hosts
    return tuple(
        host
        for host in environment.hosts
        if host.name in (hosts or ()) or host.role in (roles or ())
    )


def check_format(format: str) -> None:
    """Raise UsageError for a form of output that is neither a table nor JSON."""
    if format not in ("table", "json"):
        raise UsageError(f"no format {format}", remedy="Use table or json.")


def check_output(output: Path | None) -> None:
    """Raise UsageError, before the work, for a file that cannot be written after it."""
    if output is None:
        return
    if output.is_dir():
        raise UsageError("a directory", where=str(output), remedy="name a file instead")
    if not output.absolute().parent.is_dir():
        raise UsageError(
            "there is no such directory",
            where=str(output.parent),
            remedy="make it, or name another",
        )
    try:
        _try_to_write(output)
    except OSError as error:
        raise UsageError(
            f"cannot be written: {error.strerror}", where=str(output), remedy="name another file"
        ) from error


def _try_to_write(output: Path) -> None:
    """Open a file as if to write to it, and leave all as it was. Raises OSError."""
    if not output.exists():
        output.open("a").close()
        output.unlink()
    elif output.is_file():
        output.open("a").close()


def need_terminal(remedy: str) -> None:
    """Raise UsageError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here: this is no terminal", remedy=remedy)
