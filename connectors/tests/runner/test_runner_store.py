"""What the runner keeps in the warehouse: lock, states, records of runs, rejected resources."""

from collections.abc import Iterator

import psycopg
import pytest
from fhirstack_sync.store import BusyError, Outcome, Store, last_runs
from test_runner_harness import Pair


@pytest.fixture
def store(pair: Pair) -> Iterator[Store]:
    made = pair.store()
    with made.connection:
        yield made


def test_one_runner_at_a_time(pair: Pair, store: Store) -> None:
    store.lock(1)
    second = pair.store()
    with second.connection, pytest.raises(BusyError, match="after 1 s"):
        second.lock(1)


def test_the_lock_ends_with_its_connection(pair: Pair) -> None:
    first = pair.store()
    first.lock(1)
    pid = first.connection.info.backend_pid
    pair.query("SELECT pg_terminate_backend(%s, 10000)", pid)
    second = pair.store()
    with second.connection:
        second.lock(5)
    with pytest.raises(psycopg.OperationalError):
        first.states()
    first.connection.close()


def test_a_run_that_was_killed_is_said_to_be(pair: Pair, store: Store) -> None:
    killed = store.begin(full=True)
    next_one = store.begin(full=False)
    assert next_one > killed
    assert [run[:2] for run in pair.runs()] == [("killed", True), ("running", False)]
    ((finished,),) = pair.query("SELECT finished_at FROM sync.runs WHERE id = %s", killed)
    assert finished is not None


def test_a_state_is_the_last_that_was_kept(store: Store) -> None:
    store.begin(full=False)
    store.save_state("patient", {"cursor": "1"})
    store.save_state("patient", {"cursor": "2", "deletions_since": "1"})
    store.save_state("group", {})
    assert store.states() == {"patient": {"cursor": "2", "deletions_since": "1"}, "group": {}}
    store.forget_states(["patient", "none"])
    assert store.states() == {"group": {}}


def outcome(status: str = "ok", **more: str | None) -> Outcome:
    made = Outcome(status=status, seconds=1.5, transformed="abc 2026-01-01", **more)  # type: ignore[arg-type]
    patient, group = made.count("patient"), made.count("group")
    patient.resources, patient.bytes, patient.status = 3, 300, "complete"
    patient.watermark = "2026-01-02T00:00:00Z"
    group.resources, group.deleted, group.rejected, group.bytes = 2, 1, 4, 200
    group.watermark = "2026-01-01T00:00:00Z"
    return made


def test_a_runs_end_is_recorded_with_its_sums(pair: Pair, store: Store) -> None:
    run = store.begin(full=True)
    store.finish(run, outcome())
    assert pair.runs() == [("ok", True, 5, 1, 4)]
    ((size, watermark, finished),) = pair.query(
        "SELECT bytes, watermark::text, finished_at FROM sync.runs"
    )
    assert (size, watermark[:10]) == (500, "2026-01-01")
    assert finished
    assert pair.query(
        "SELECT stream, status, resources, deleted, rejected FROM sync.run_streams ORDER BY 1"
    ) == [("group", "running", 2, 1, 4), ("patient", "complete", 3, 0, 0)]


def test_what_the_last_transformation_was_made_with_is_known(store: Store) -> None:
    run = store.begin(full=False)
    assert store.last_transformation() == ""
    store.finish(run, outcome())
    store.begin(full=False)
    assert store.last_transformation() == "abc 2026-01-01"


def test_a_rejected_resource_is_one_row_with_its_latest_reason(pair: Pair) -> None:
    pair.server.fill(1)
    pair.ok()
    store = pair.store()
    with store.connection:
        store.reject("patient", "p1", "too large")
        store.reject("patient", "p1", "has no type")
        store.reject("patient", None, "entry 3 has no resource")
        store.reject("patient", None, "entry 4 has no resource")
    found = dict(pair.query("SELECT id, reason FROM airbyte.rejected_records"))
    assert found.pop("p1") == "has no type"
    assert sorted(found.values()) == ["entry 3 has no resource", "entry 4 has no resource"]
    assert all(name.startswith("unknown: ") for name in found)


def test_figures_of_all_runs(store: Store) -> None:
    for status in ("ok", "failed", "ok"):
        store.finish(store.begin(full=False), outcome(status))
    store.begin(full=False)
    found = last_runs(store.connection)
    assert found.by_status == {"ok": 2, "failed": 1, "running": 1}
    assert (found.resources, found.deleted, found.rejected, found.bytes) == (15, 3, 12, 1500)
    assert found.last_seconds == 1.5
    assert found.last_success is not None
    assert found.watermark is not None


def test_no_watermark_without_a_state() -> None:
    made = Outcome()
    made.count("patient")
    assert made.watermark is None
