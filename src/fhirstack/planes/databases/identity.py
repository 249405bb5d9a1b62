"""Whose PostgreSQL it is that answers: compared before anything else of it is read, or written.

The agent of the hosts marks the data directory of an environment's cluster (``agent/clusters.py``),
and refuses one of others; here the mark is read by SQL.
"""

import json
from contextlib import suppress
from dataclasses import dataclass

from fhirstack.errors import UnreachableError
from fhirstack.planes.databases.base import Connection
from fhirstack.planes.hosts.agent.clusters import MARK

_ENCODING = "UTF8"
_MOST_BYTES = 4096
"""Of a mark; it has some hundred."""


@dataclass(frozen=True)
class Expected:
    """The data directory of the cluster that is meant, and what its mark says.

    Without a programme the directory alone tells: it lies in the stack's own.
    """

    data_directory: str
    programme: str = ""
    environment: str = ""


def refuse_others(connection: Connection, expected: Expected) -> None:
    """Raise UnreachableError where another cluster answers than the one that is meant."""
    directory, text, encoding = connection.execute(
        "SELECT current_setting('data_directory'), pg_read_file(%s, 0, %s, true),"
        " current_setting('server_encoding')",
        [MARK, _MOST_BYTES],
    ).fetchone() or ("", None, "")
    if directory != expected.data_directory:
        raise UnreachableError(
            f"another PostgreSQL answers, whose data are in {directory}, not in"
            f" {expected.data_directory}; nothing was changed in it",
            remedy="stop it, or give it another port, and `fhirstack apply`: it sets up ours",
        )
    if encoding != _ENCODING:
        raise UnreachableError(
            f"the cluster in {directory} is {encoding}, not {_ENCODING}; nothing was changed in it",
            remedy="dump its databases, drop it, `fhirstack apply`, and restore them",
        )
    if expected.programme:
        _compare(expected, None if text is None else str(text))


def _compare(expected: Expected, text: str | None) -> None:
    if text is None:
        raise UnreachableError(
            f"the cluster in {expected.data_directory} has no mark ({MARK}) of whose it is;"
            " nothing was changed in it",
            remedy="`fhirstack apply` marks it where it is this environment's, or says what it is",
        )
    found = None
    with suppress(ValueError):
        found = json.loads(text)
    mark = found if isinstance(found, dict) else {}
    whose = (mark.get("programme"), mark.get("environment"))
    if whose != (expected.programme, expected.environment):
        raise UnreachableError(
            f"the cluster in {expected.data_directory} is of {whose[1]} ({whose[0]});"
            " nothing was changed in it",
            remedy=f"move its data away; if they are to be this environment's, remove {MARK}"
            " there and `fhirstack apply`",
        )
