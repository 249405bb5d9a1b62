"""Few requests work at a time; what they made is handed to slow readers beside them."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

PART = 65_536
"""Bytes of a body that are read at a time, to be thrown away."""

_Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Workers:
    """Superset for so many requests at a time.

    An answer is made when the application returns it: its query is done, and its connections
    are given back. A thread goes on writing it for as long as its reader takes, and is not one
    of these.
    """

    def __init__(self, application: _Application, most: int) -> None:
        self._application = application
        self._room = threading.BoundedSemaphore(most)

    def __call__(self, environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request when there is room for it, and when its body has come."""
        with self._room:
            answer = self._application(environment, start)
        _read_to_its_end(environment["wsgi.input"])
        return answer


def _read_to_its_end(body: Any) -> None:
    """Read what a refusal left: gunicorn closes the connection, and that can lose the answer.

    How long a body is, how many come at a time and how slowly, is the edge's to limit.
    """
    # A body that breaks off has nobody who waits for an answer.
    with suppress(Exception):
        while body.read(PART):
            pass
