"""What the commands say, and the one kind of error."""

import sys
import time

_STARTED = time.monotonic()
_WIDTH = 80


class LabError(Exception):
    """Something that a person can act on: what, where, and the remedy."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.args[0]}\n  {self.remedy}" if self.remedy else str(self.args[0])


def say(message: str) -> None:
    """Print one line of progress with the seconds since the start."""
    print(f"{time.monotonic() - _STARTED:6.1f} s  {message}"[:_WIDTH], file=sys.stderr, flush=True)
