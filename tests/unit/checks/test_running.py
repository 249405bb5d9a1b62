"""Lanes at the same time: their order, what waits for what, and how an interruption ends them."""

import threading
from types import SimpleNamespace

import httpx
import pytest

from fhirstack.checks import verify
from fhirstack.checks.check import Check, FailedError
from fhirstack.checks.running import AT_ONCE, listed, run
from fhirstack.checks.session import Session
from fhirstack.model.local import local_environment

LIMIT_SECONDS = 60
"""Reached only by what hangs."""


def check(name, look=lambda session: ""):
    return Check(name, "services.keycloak", name, look)


def answered(request):
    return httpx.Response(200, json={})


@pytest.fixture
def session():
    http = httpx.Client(transport=httpx.MockTransport(answered))
    return Session(
        environment=local_environment("one", https_port=18443, http_port=18480),
        admin=SimpleNamespace(get=lambda path: None),
        backend=http,
        http=http,
        authority=None,
        secrets={},
        inside={},
    )


def test_lanes_of_a_stage_run_at_the_same_time(session):
    together = threading.Barrier(AT_ONCE + 1, timeout=LIMIT_SECONDS)

    def meet(session):
        together.wait()
        return "met"

    stage = tuple((check(f"lane.{number}", meet),) for number in range(AT_ONCE + 1))
    results = []
    run((stage,), session, results.append)
    assert {result.evidence for result in results} == {"met"}


def test_results_come_in_the_order_of_the_list_however_quick_they_are(session):
    last_is_done = threading.Event()

    def first(session):
        assert last_is_done.wait(LIMIT_SECONDS)
        return ""

    def last(session):
        last_is_done.set()
        return ""

    stages = (((check("a", first), check("b")), (check("c"), check("d", last))), ((check("e"),),))
    results = []
    run(stages, session, results.append)
    assert [result.check.id for result in results] == ["a", "b", "c", "d", "e"]
    assert tuple(result.check for result in results) == listed(stages)


def test_a_lane_and_the_next_stage_wait_for_what_is_before_them(session):
    begun, ended = [], []

    def noted(name):
        def look(session):
            begun.append((name, tuple(ended)))
            ended.append(name)
            return ""

        return check(name, look)

    run(
        (((noted("a"), noted("b")), (noted("c"),)), ((noted("d"),), (noted("e"),))),
        session,
        lambda result: None,
    )
    before = {name: set(seen) for name, seen in begun}
    assert "a" in before["b"]
    assert before["d"] >= {"a", "b", "c"}
    assert before["e"] >= {"a", "b", "c"}


def test_a_failure_ends_neither_its_lane_nor_others(session):
    def no(session):
        raise FailedError("no")

    results = []
    run((((check("a", no), check("b")), (check("c"),)),), session, results.append)
    assert [(r.check.id, str(r.verdict)) for r in results] == [
        ("a", "failed"),
        ("b", "ok"),
        ("c", "ok"),
    ]


def test_an_interruption_ends_the_other_lanes_at_their_next_request(session):
    asked, cleaned = threading.Event(), threading.Event()

    def asks_on_and_on(session):
        try:
            while True:
                session.http.get("https://x/")
                asked.set()
        finally:
            cleaned.set()

    def interrupted(session):
        assert asked.wait(LIMIT_SECONDS)
        raise KeyboardInterrupt

    never = check("never", lambda session: pytest.fail("it began"))
    results = []
    stages = (((check("a", asks_on_and_on), never), (check("b", interrupted), never)), ((never,),))
    with pytest.raises(KeyboardInterrupt):
        run(stages, session, results.append)
    assert cleaned.is_set()
    assert results == []
    # What takes away what was made goes on.
    assert session.http.get("https://x/").status_code == 200


def test_a_fault_of_a_check_is_not_swallowed(session):
    def wrong(session):
        raise AttributeError("a mistake")

    with pytest.raises(AttributeError):
        run((((check("a", wrong),), ()),), session, lambda result: None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # The move of a patient puts a nurse into the team that others try to reach.
        ("android.moved-patient", "android.other-by-id"),
        ("android.moved-patient", "android.register"),
        # Dashboards are compared with SQL.
        ("analytics.written", "superset.numbers"),
        ("analytics.deleted", "superset.numbers"),
        # Store and warehouse are counted.
        ("analytics.counts", "client.web"),
        ("analytics.counts", "client.android.location"),
        ("analytics.counts", "android.planted"),
        # What is left of a refused body must not meet a request that does not look for it.
        ("edge.refused-bodies", "client.android.location"),
        ("edge.refused-bodies", "edge.headers"),
    ],
)
def test_what_shares_state_is_not_done_at_the_same_time(one, other):
    places = {
        check.id: (stage, lane)
        for stage, lanes in enumerate(verify.STAGES)
        for lane, checks in enumerate(lanes)
        for check in checks
    }
    assert places[one][0] != places[other][0] or places[one] == places[other]


def test_what_the_checks_left_in_logs_is_looked_at_last():
    assert verify.CHECKS[-1].id == "closed.secrets"
    assert len(verify.STAGES[-1][-1]) > 1
