"""Commands on the site file: ``init``, ``check``, ``schema``, ``requirements``."""

import json
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from fhirstack.cli.console import console
from fhirstack.errors import UnreachableError, UsageError
from fhirstack.model.load import load_site
from fhirstack.model.schema import site_schema
from fhirstack.model.template import site_template
from fhirstack.page import document, report
from fhirstack.page.checks import run_checks
from fhirstack.page.results import CheckResult, Verdict, exit_code

DEFAULT_FILE = Path("site.yaml")
_ID_WIDTH = 19
_COLOURS = {
    Verdict.OK: "green",
    Verdict.FAILED: "bold red",
    Verdict.WARNING: "yellow",
    Verdict.SKIPPED: "dim",
}

File = Annotated[Path, typer.Option("--file", "-f", help="The site file.")]
Environments = Annotated[
    list[str] | None, typer.Option("--environment", "-e", help="Only this one; may be repeated.")
]


class CheckFormat(StrEnum):
    """Forms of a check's results."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


class DocumentFormat(StrEnum):
    """Forms of the partner's document."""

    MARKDOWN = "md"
    CSV = "csv"
    JSON = "json"


def init(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write.")] = DEFAULT_FILE,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a commented site file with the page's machines in three environments."""
    if output.is_dir():
        raise UsageError("a directory", where=str(output), remedy="name a file instead")
    _write(output, site_template(), replace=force)
    console(stderr=True).print(
        f"Wrote {escape(str(output))}. Next: edit it, then `fhirstack check`."
    )


def check(
    file: File = DEFAULT_FILE,
    environment: Environments = None,
    output: Annotated[
        CheckFormat, typer.Option("--format", help="How to print the results.")
    ] = CheckFormat.TABLE,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what is as the page asks, or cannot be told here.")
    ] = False,
) -> None:
    """Check the site file against every sentence of the page that it can show.

    What failed and what is warned of is printed; --all prints the rest too.
    """
    results = run_checks(load_site(file), environment or ())
    if output is CheckFormat.JSON:
        typer.echo(report.as_json(results), nl=False)
    elif output is CheckFormat.MARKDOWN:
        typer.echo(report.as_markdown(results), nl=False)
    else:
        _print_table(results if everything else report.shown(results))
        console().print(escape(report.summary(results)))
        if not everything:
            console().print("--all shows the rest.")
    raise typer.Exit(exit_code(results, strict=strict))


def schema() -> None:
    """Print the JSON Schema of the site file, for editors."""
    typer.echo(json.dumps(site_schema(), indent=2, ensure_ascii=False))


def requirements(
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="A site file, for addresses and DNS names."),
    ] = None,
    environment: Environments = None,
    output: Annotated[
        DocumentFormat, typer.Option("--format", help="The form of the document.")
    ] = DocumentFormat.MARKDOWN,
) -> None:
    """Print what a partner is to provide, why, and how it will be checked."""
    title = "Infrastructure requirements"
    chosen = []
    if file or environment:
        site = load_site(file or DEFAULT_FILE)
        names = environment or list(site.environments)
        unknown = [name for name in names if name not in site.environments]
        if unknown:
            known = ", ".join(site.environments)
            raise UsageError(
                f"the site has no environment {unknown[0]}", remedy=f"name one of: {known}"
            )
        chosen = [site.environments[name] for name in dict.fromkeys(names)]
        title = f"{site.programme}: infrastructure requirements"
    match output:
        case DocumentFormat.MARKDOWN:
            text = document.as_markdown(chosen, title)
        case DocumentFormat.CSV:
            text = document.as_csv(document.rows(chosen))
        case DocumentFormat.JSON:
            text = document.as_json(document.rows(chosen))
    typer.echo(text, nl=False)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (init, check, schema, requirements):
        app.command()(command)


def _print_table(results: tuple[CheckResult, ...]) -> None:
    out = console()
    for environment in dict.fromkeys(item.environment for item in results):
        table = Table(title=environment or "the whole site", title_justify="left", expand=True)
        table.add_column("requirement", width=_ID_WIDTH, overflow="fold")
        table.add_column("the page", ratio=6, overflow="fold")
        table.add_column("verdict", width=7, no_wrap=True)
        table.add_column("evidence", ratio=7, overflow="fold")
        for item in results:
            if item.environment == environment:
                colour = _COLOURS[item.verdict]
                table.add_row(
                    escape(_folded(item.requirement.id)),
                    escape(report.words(item)),
                    f"[{colour}]{item.verdict}[/{colour}]",
                    escape(item.evidence),
                )
        out.print(table)


def _folded(identifier: str) -> str:
    """Break a requirement's id after dots and hyphens, as rich breaks words at spaces alone."""
    lines = [""]
    for part in re.findall(r"[^.-]+[.-]?", identifier):
        if len(lines[-1]) + len(part) > _ID_WIDTH:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _write(path: Path, text: str, *, replace: bool) -> None:
    """Write a file as a whole or not at all; without ``replace``, never over another."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            temporary.write_text(text, encoding="utf-8")
            if replace:
                temporary.replace(path)
            else:
                os.link(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError:
        raise UsageError(
            "the file exists", where=str(path), remedy="name another, or replace it with --force"
        ) from None
    except OSError as error:
        raise UnreachableError(
            f"cannot be written: {error.strerror}", where=str(path), remedy="name another place"
        ) from None
