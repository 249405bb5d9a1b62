"""Runs checks: stages one after the other, the lanes of a stage at the same time.

A lane's checks run one after the other, since they share what they change. What comes out is
shown in the order of the list, however quick each lane is.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Lock

from fhirstack.checks.check import Check, Result, looked
from fhirstack.checks.session import Session
from fhirstack.errors import FhirstackError

Lane = tuple[Check, ...]
Stage = tuple[Lane, ...]
"""Lanes that share nothing. The last is run by the caller's thread, which alone hears Ctrl-C: it
is the one whose checks start programs."""

AT_ONCE = 3
"""Lanes beside the caller's: more would only wait for each other on a small machine."""


def listed(stages: tuple[Stage, ...]) -> tuple[Check, ...]:
    """Return all checks, in the order in which they are shown."""
    return tuple(check for stage in stages for lane in stage for check in lane)


def run(stages: tuple[Stage, ...], session: Session, shown: Callable[[Result], None]) -> None:
    """Run all checks. When the caller is interrupted, the other lanes end at their next request."""
    told = _InOrder(listed(stages), shown)
    with _heard(session), ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for *others, own in stages:
                beside = [pool.submit(_lane, lane, session, told) for lane in others]
                _lane(own, session, told)
                for lane in beside:
                    lane.result()
        except BaseException:
            session.stop()
            raise


def _lane(lane: Lane, session: Session, told: "_InOrder") -> None:
    for check in lane:
        session.go_on()
        # What it wakes rests when it ends, but for those whom another lane needs.
        own = session.of_one_check()
        try:
            result = looked(check, own)
        finally:
            with suppress(FhirstackError):
                own.rest()
        told.take(result)


@contextmanager
def _heard(session: Session) -> Iterator[None]:
    """Let every request of the checks ask first whether they are to go on.

    What they made is taken away past the edge, by other clients, which nothing stops.
    """
    before = session.http.event_hooks
    session.http.event_hooks = {"request": [lambda _: session.go_on()]}
    try:
        yield
    finally:
        session.http.event_hooks = before


class _InOrder:
    """Shows each result as soon as all before it have been shown."""

    def __init__(self, checks: tuple[Check, ...], shown: Callable[[Result], None]) -> None:
        self._waiting = list(reversed(checks))
        self._came: dict[str, Result] = {}
        self._shown = shown
        self._lock = Lock()

    def take(self, result: Result) -> None:
        """Take a result, from any thread."""
        with self._lock:
            self._came[result.check.id] = result
            while self._waiting and self._waiting[-1].id in self._came:
                self._shown(self._came.pop(self._waiting.pop().id))
