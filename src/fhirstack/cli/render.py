"""The command ``render``: what a cluster needs of services that are not run here, as files."""

from pathlib import Path
from typing import Annotated

import typer

from fhirstack.bundle.programs import disk_error
from fhirstack.cli.console import console
from fhirstack.cli.site import DEFAULT_FILE, File
from fhirstack.errors import UsageError
from fhirstack.model.load import load_site
from fhirstack.services import render as rendering


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(render)


def render(
    environment: Annotated[str, typer.Option("--environment", "-e", help="Which one.")],
    file: File = DEFAULT_FILE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A directory; else they are printed.")
    ] = None,
) -> None:
    """Write FHIR Web's workload, and Airbyte's Helm values where the site chose its platform."""
    site = load_site(file)
    if environment not in site.environments:
        raise UsageError(
            f"there is no environment {environment}",
            where=str(file),
            remedy=f"There are: {', '.join(site.environments)}",
        )
    found = rendering.files(site.environments[environment])
    if not found:
        console().print(
            "Nothing to render: the site names no image of FHIR Web (fhir_web.image) and leaves"
            " Airbyte's part to the runner (analytics.airbyte)."
        )
    for name, text in found.items():
        if output is None:
            print(f"# --- {name}\n{text}", end="")
            continue
        path = output / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise disk_error(error, path) from error
        console().print(f"written: {path}", markup=False)
