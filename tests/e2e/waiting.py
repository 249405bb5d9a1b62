"""Waiting for a condition, with a limit: never for a fixed time."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], what: str, limit: float = 600) -> object:
    """Return the condition's first true value; fail the test when the limit has passed."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {limit} s: {what}")
