"""Few requests work at a time; what they made is handed to slow readers beside them."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

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
        """Answer a request when there is room for it."""
        with self._room:
            return self._application(environment, start)
