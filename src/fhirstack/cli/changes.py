"""How changes of planes on services are shown: each with what is and what is to be."""

import json
from collections.abc import Iterable

from fhirstack.cli.console import console
from fhirstack.planes.plane import Change


def tell(changes: Iterable[Change]) -> None:
    """Print changes, a few lines each."""
    out = console()
    for change in changes:
        reason = f": {change.reason}" if change.reason else ""
        out.print(f"{change.action:<8} {change.plane} {change.address}{reason}", markup=False)
        for sign, value in (("-", change.before), ("+", change.after)):
            if value is not None:
                out.print(f"         {sign} {json.dumps(value, default=str)}", markup=False)
