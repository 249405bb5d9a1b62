"""What all parts of the plane share: its name, its connections, its changes."""

from collections.abc import Callable, Iterable
from typing import Any

import psycopg
from psycopg.sql import Composed

from fhirstack.planes.plane import Action, Change

PLANE = "databases"

Connection = psycopg.Connection[tuple[object, ...]]
"""An administrator's connection, each statement a transaction of its own."""

Open = Callable[[str], Connection]
"""Opens an administrator's connection to a database by its name; the caller closes it."""


def run(connection: Connection, statements: Iterable[Composed]) -> None:
    """Execute the statements, all or none."""
    with connection.transaction():
        for statement in statements:
            connection.execute(statement)


def change(
    address: str,
    action: Action,
    before: Any,
    after: Any,
    apply: Callable[[], None],
    *,
    reason: str = "",
) -> Change:
    """Return a change of this plane."""
    return Change(PLANE, address, action, before, after, reason, apply=apply)
