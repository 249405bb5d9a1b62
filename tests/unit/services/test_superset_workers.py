"""Superset's workers make answers; whoever reads one slowly holds none of them."""

import contextlib
import io
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "analytics" / "superset"))

from fhirstack_superset.workers import Workers

MOST = 3


class Broken:
    """A body whose sender has gone."""

    def read(self, _):
        raise ConnectionResetError


def asked(body=b""):
    """Return a request, as gunicorn gives it to an application."""
    return {"wsgi.input": io.BytesIO(body)}


def started(*_):
    """Take the head of an answer."""


def test_answers_that_nobody_reads_hold_no_worker():
    application = Workers(lambda _, start: start("200 OK", []) or [b"long"], MOST)
    unread = [application(asked(), started) for _ in range(5 * MOST)]
    assert [b"".join(answer) for answer in unread] == [b"long"] * (5 * MOST)


def test_a_request_that_fails_gives_its_worker_back():
    def fails(*_):
        raise RuntimeError

    application = Workers(fails, MOST)
    for _ in range(2 * MOST):
        with contextlib.suppress(RuntimeError):
            application(asked(), started)
    with pytest.raises(RuntimeError):
        application(asked(), started)


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
        list(pool.map(lambda _: application(asked(), started), range(4 * MOST)))
    assert most == MOST


@pytest.mark.parametrize("length", [0, 1, 65_536, 300_001])
def test_a_body_that_was_refused_unread_has_come_before_its_answer_goes(length):
    application = Workers(lambda _, start: start("401 UNAUTHORIZED", []) or [b"no"], MOST)
    request = asked(b"x" * length)
    answer = application(request, started)
    assert request["wsgi.input"].tell() == length
    assert b"".join(answer) == b"no"


def test_a_body_that_breaks_off_holds_no_worker():
    application = Workers(lambda _, start: start("401 UNAUTHORIZED", []) or [b"no"], MOST)
    for _ in range(2 * MOST):
        assert application({"wsgi.input": Broken()}, started) == [b"no"]
