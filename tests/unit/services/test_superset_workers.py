"""Superset's workers make answers; whoever reads one slowly holds none of them."""

import contextlib
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "analytics" / "superset"))

from fhirstack_superset.workers import Workers

MOST = 3


def started(*_):
    """Take the head of an answer."""


def test_answers_that_nobody_reads_hold_no_worker():
    application = Workers(lambda _, start: start("200 OK", []) or [b"long"], MOST)
    unread = [application({}, started) for _ in range(5 * MOST)]
    assert [b"".join(answer) for answer in unread] == [b"long"] * (5 * MOST)


def test_a_request_that_fails_gives_its_worker_back():
    def fails(*_):
        raise RuntimeError

    application = Workers(fails, MOST)
    for _ in range(2 * MOST):
        with contextlib.suppress(RuntimeError):
            application({}, started)
    with pytest.raises(RuntimeError):
        application({}, started)


def test_few_requests_are_at_work_at_a_time():
    counting, full = threading.Lock(), threading.Barrier(MOST)
    at_work, most = 0, 0

    def works(*_):
        nonlocal at_work, most
        with counting:
            at_work += 1
            most = max(most, at_work)
        # As many as may work meet here; one more would be counted too.
        full.wait()
        with counting:
            at_work -= 1
        return []

    application = Workers(works, MOST)
    with ThreadPoolExecutor(4 * MOST) as pool:
        list(pool.map(lambda _: application({}, started), range(4 * MOST)))
    assert most == MOST
