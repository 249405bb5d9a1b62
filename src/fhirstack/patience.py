"""Waiting as long as something goes on: a slow machine is not a dead one."""

import time
from collections.abc import Callable
from typing import TypeVar

LONGEST = 5
"""How many times its limit something may take that still moves."""
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 8.0

HANG_SECONDS = 300
"""For one answer of which nothing can be seen before it is there: longer takes only what hangs.
The edge itself gives up on a service earlier, and says so."""

Answer = TypeVar("Answer")


class Patience:
    """Tells when to give up: after ``seconds`` without a sign of progress.

    Signs begin the time anew, ``LONGEST`` times that long in all: what moves for ever and never
    arrives is not waited for.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._began = self._moved = clock()
        self._sign: object = None

    def sees(self, sign: object) -> None:
        """Take note of where it is; another sign than the last is progress."""
        if sign != self._sign:
            self._sign = sign
            self._moved = self._clock()

    @property
    def ended(self) -> str:
        """Why no longer to wait; empty while there is hope."""
        now = self._clock()
        if now - self._moved > self.seconds:
            return f"nothing of it has moved for {self.seconds:.0f} s"
        if now - self._began > LONGEST * self.seconds:
            return f"it still moves, but {now - self._began:.0f} s did not do: a slow machine?"
        return ""


def wait_for(
    ready: Callable[[], object],
    sign: Callable[[], object],
    patience: Patience,
    *,
    pause_seconds: float = 0.1,
    pause: Callable[[float], None] = time.sleep,
) -> str:
    """Wait until ``ready`` holds, and return nothing; or why no longer to wait.

    ``sign`` says where it is, anything that differs from before when it went on; it may raise.
    """
    while not ready():
        patience.sees(sign())
        if patience.ended:
            return patience.ended
        pause(pause_seconds)
    return ""


def again(
    call: Callable[[], Answer],
    passing: tuple[type[Exception], ...],
    *,
    seconds: float,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Return what ``call`` returns; try again, with growing pauses, after errors that may pass.

    ``call`` must be one that can be done twice. After ``seconds`` the last error is raised.
    """
    deadline = clock() + seconds
    delay = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return call()
        except passing:
            if clock() + delay > deadline:
                raise
        pause(delay)
        delay = min(2 * delay, _LONGEST_PAUSE_SECONDS)
