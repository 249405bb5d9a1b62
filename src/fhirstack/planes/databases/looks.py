"""Looks at PostgreSQL's catalogue: rows of what is not as it must be, each with what mends it.

All looks at one database are one query. SQL itself writes the mending statements, as it alone
quotes every name rightly; a row without one is told, and left as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from psycopg import sql

from fhirstack.planes.databases.base import PLANE, Connection, Open
from fhirstack.planes.plane import Action, Change

FIRST_OWN = 16384
"""Below it are the objects that PostgreSQL itself makes (FirstNormalObjectId)."""
LEFT = "not made by fhirstack: left as it is"
_SHOWN = 10
"""Of what is told in one line."""


class Look(NamedTuple):
    """One kind of thing: ``rows`` selects what is seen (text) and what mends it (text, or null).

    ``{own}``, ``{ours}`` and others in it are the values that ``changes`` is given.
    """

    name: str
    why: str
    rows: str


class Row(NamedTuple):
    """Something that is seen; an empty ``mend``: it is told alone."""

    what: str
    mend: str


def observe(
    connection: Connection, looks: Iterable[Look], values: Mapping[str, object]
) -> dict[str, list[Row]]:
    """Return what every look sees, by its name, in one round trip."""
    literals = {key: sql.Literal(value) for key, value in values.items()}
    parts = [
        sql.SQL(
            "SELECT {name}::text, what, coalesce(mend, '') FROM ({rows}) AS seen (what, mend)"
        ).format(name=sql.Literal(look.name), rows=sql.SQL(look.rows).format(**literals))
        for look in looks
    ]
    found: dict[str, list[Row]] = {}
    rows = connection.execute(sql.SQL(" UNION ALL ").join(parts)).fetchall()
    for name, what, mend in sorted(tuple(map(str, row)) for row in rows):
        found.setdefault(name, []).append(Row(what, mend))
    return found


def changes(
    connection: Connection,
    looks: Sequence[Look],
    values: Mapping[str, object],
    connect: Open,
    database: str = "",
) -> list[Change]:
    """Return a change for each look that sees something to mend, and one line for what is told.

    ``database``: the one that is looked at; none: the whole server, by way of ``postgres``.
    """
    found = observe(connection, looks, values)
    place = f"databases/{database}/" if database else ""
    made = []
    for look in looks:
        rows = found.get(look.name, [])
        wrong = list(dict.fromkeys(row.what for row in rows if row.mend))
        told = list(dict.fromkeys(row.what for row in rows if not row.mend))
        if wrong:

            def apply(look: Look = look) -> None:
                with connect(database or "postgres") as again:
                    _mend(again, look, values)

            made.append(
                Change(
                    PLANE,
                    f"{place}{look.name}",
                    Action.UPDATE,
                    before=wrong,
                    reason=look.why,
                    apply=apply,
                )
            )
        if told:
            more = f", and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
            shown = ", ".join(told[:_SHOWN]) + more
            made.append(
                Change(PLANE, f"{place}{look.name}", Action.REPORT, reason=f"{LEFT}: {shown}")
            )
    return made


def _mend(connection: Connection, look: Look, values: Mapping[str, object]) -> None:
    """Put right what the look sees now, all or nothing: earlier changes may have done some."""
    rows = observe(connection, [look], values).get(look.name, [])
    with connection.transaction():
        for statement in dict.fromkeys(row.mend for row in rows if row.mend):
            connection.execute(statement.encode())
