"""Deletions, by history and by sweeps."""

from typing import Any

import pytest
from source_fhir_harness import Connector, Result
from source_fhir_server import Server, stamp

BOTH = ("patient", "resource_ids")


def present(*results: Result) -> set[str]:
    """What a destination has after these runs."""
    rows: set[str] = set()
    lists: dict[str, set[str]] = {}
    for result in results:
        for record in result.of("RECORD"):
            data = record["data"]
            if record["stream"] == "patient":
                (rows.discard if data["resource"] is None else rows.add)(data["id"])
            elif record["stream"] == "resource_ids" and data["resource_type"] == "Patient":
                lists.setdefault(data["sweep"], set()).update(data["ids"])
                if data["last"]:
                    rows &= lists[data["sweep"]]
    return rows


def test_the_first_run_asks_for_no_history(server: Server, connector: Connector) -> None:
    server.fill(3)
    connector.read(*BOTH)
    assert not [x for x in server.state.requests if "_history" in x]


@pytest.mark.parametrize("times", [True, False])
def test_a_deletion_is_a_record(server: Server, connector: Connector, times: bool) -> None:
    server.state.history_times = times
    server.fill(5)
    first = connector.read()
    server.delete("p00002", server.state.now + 5)
    second = connector.read(state=first.state)
    (record,) = second.records()
    when = record.pop("_ab_cdc_deleted_at")
    assert record == {
        "id": "p00002",
        "resource_type": "Patient",
        "last_updated": when,
        "resource": None,
    }
    if times:
        assert when == stamp(server.state.now + 5)
    assert present(first, second) == {"p00000", "p00001", "p00003", "p00004"}


def test_a_deletion_that_is_told_several_times_is_one_record(
    server: Server, connector: Connector
) -> None:
    server.fill(5)
    first = connector.read()
    for number in range(3):
        server.put("p00001", server.state.now + number)
        server.delete("p00001", server.state.now + number)
    assert len(connector.read(state=first.state).records()) == 1


def test_deletions_on_many_pages(server: Server, connector: Connector) -> None:
    server.fill(60)
    first = connector.read()
    for number in range(45):
        server.delete(f"p{number:05d}", server.state.now + number)
    second = connector.read(state=first.state)
    assert len(second.records()) == 45
    assert len([x for x in server.state.requests if "_history" in x]) == 5


@pytest.mark.parametrize("newest_first", [True, False])
def test_deleted_and_made_again_is_present(
    server: Server, connector: Connector, newest_first: bool
) -> None:
    server.state.history_newest_first = newest_first
    server.fill(5)
    first = connector.read()
    server.delete("p00002", server.state.now + 5)
    server.put("p00002", server.state.now + 6)
    server.state.now += 10_000
    second = connector.read(state=first.state)
    third = connector.read(state=second.state)
    assert "p00002" in present(first, second)
    assert "p00002" in present(first, second, third)
    if newest_first:
        assert not [x for x in second.records() if x["resource"] is None]


def test_made_again_before_the_cursor_is_read_after_its_deletion(
    server: Server, connector: Connector
) -> None:
    """The history is asked for a longer time back than the search: it must not win."""
    server.state.history_newest_first = False
    server.fill(5)
    first = connector.read()
    (state,) = first.state
    server.delete("p00002", 500_000)
    server.put("p00002", 500_001)
    blob = state["stream"]["stream_state"]
    blob["deletions_since"], blob["cursor"] = stamp(400_000), stamp(600_000)
    assert "p00002" in present(first, connector.read(state=[state]))


def test_deleted_between_a_killed_first_run_and_its_continuation(
    server: Server, connector: Connector
) -> None:
    server.fill(35)
    first = connector.read()
    state = first.of("STATE")[0]
    read = [x["record"] for x in first.messages if x["type"] == "RECORD"][:10]
    assert "p00003" in [x["data"]["id"] for x in read]
    server.delete("p00003", server.state.now + 5)
    server.state.now += 50_000
    second = connector.read(state=[state])
    assert [x["id"] for x in second.records() if x["resource"] is None] == ["p00003"]


def test_a_late_deletion_is_seen_by_the_next_run(server: Server, connector: Connector) -> None:
    server.fill(5)
    first = connector.read()
    server.delete("p00001", server.state.now - 60)
    assert connector.read(state=first.state).ids() == ["p00001"]


@pytest.mark.parametrize("status", [401, 403, 404, 405, 501])
def test_where_history_is_refused_ids_are_swept(
    server: Server, connector: Connector, status: int
) -> None:
    server.state.history_status = status
    server.fill(25)
    server.fill(3, "Observation")
    both = ("patient", "observation", "resource_ids")
    first = connector.read(*both, sweep_interval_hours=0, parallel_streams=1)
    server.delete("p00007", server.state.now)
    second = connector.read(*both, state=first.state)
    assert present(first, second) == {f"p{n:05d}" for n in range(25) if n != 7}
    assert second.log.count("Deletions are found by sweeping") == 1
    assert len([x for x in server.state.requests if "_history" in x]) == 1


def test_a_sweep_has_the_records_of_its_stream(server: Server, connector: Connector) -> None:
    server.fill(25)
    first = connector.read(*BOTH, deletions="sweep", sweep_interval_hours=0)
    swept = connector.read(*BOTH, state=first.state).records("resource_ids")
    assert len({x["sweep"] for x in swept}) == 1
    assert [x["id"] for x in swept] == [f"{swept[0]['sweep']}/{n + 1}" for n in range(len(swept))]
    assert [x["last"] for x in swept] == [False] * (len(swept) - 1) + [True]
    assert [id for x in swept for id in x["ids"]] == [f"p{n:05d}" for n in range(25)]
    assert {x["resource_type"] for x in swept} == {"Patient"}
    assert all(set(x) == KEYS for x in swept)


KEYS = {"id", "resource_type", "sweep", "started_at", "ids", "last"}


def test_a_sweep_waits_for_its_interval(server: Server, connector: Connector) -> None:
    server.fill(5)
    first = connector.read(*BOTH, deletions="sweep")
    second = connector.read(*BOTH, state=first.state)
    assert second.records("resource_ids") == []
    third = connector.read(*BOTH, state=second.state, sweep_interval_hours=0)
    assert third.ids("resource_ids")


def test_a_read_of_everything_is_a_sweep_too(server: Server, connector: Connector) -> None:
    server.fill(25)
    first = connector.read(*BOTH)
    server.delete("p00007", server.state.now - 500)
    again = connector.read(*BOTH)
    assert present(first, again) == {f"p{n:05d}" for n in range(25) if n != 7}
    assert not [x for x in server.state.requests if "_elements" in x]


def test_a_read_that_did_not_see_every_id_is_no_sweep(server: Server, connector: Connector) -> None:
    server.fill(5)
    server.put("x", 9, text='{"resourceType":"Patient"}')
    assert not [x for x in connector.read(*BOTH).records("resource_ids") if x["last"]]


def test_a_sweep_that_saw_too_few_ids_has_no_end(server: Server, connector: Connector) -> None:
    server.fill(5)
    first = connector.read(*BOTH, deletions="sweep", sweep_interval_hours=0)
    server.state.total = 6
    second = connector.run("read", *BOTH, state=first.state)
    assert not [x for x in second.records("resource_ids") if x["last"]]
    assert second.statuses("resource_ids")[-1] == "INCOMPLETE"
    assert second.statuses("patient")[-1] == "COMPLETE"
    assert "5 ids of 6" in second.errors()[0]["message"]


def test_a_type_that_failed_is_not_swept(server: Server, connector: Connector) -> None:
    server.fill(5)
    server.state.forbidden = {"Patient"}
    result = connector.run("read", *BOTH, deletions="sweep")
    assert result.records("resource_ids") == []


def test_history_only_fails_where_it_is_refused(server: Server, connector: Connector) -> None:
    server.fill(5)
    first = connector.read()
    server.state.history_status = 403
    result = connector.run("read", state=first.state, deletions="history")
    assert "deletions is 'history'" in result.errors()[0]["message"]


def test_no_deletions_if_none_are_wanted(server: Server, connector: Connector) -> None:
    server.fill(5)
    first = connector.read(*BOTH, deletions="none")
    server.delete("p00001", server.state.now)
    second = connector.read(*BOTH, state=first.state)
    records: list[Any] = [*first.records("resource_ids"), *second.records("resource_ids")]
    assert (records, second.records()) == ([], [])
    assert not [x for x in server.state.requests if "_history" in x]


def test_a_state_of_a_clock_that_was_ahead_is_not_believed(
    server: Server, connector: Connector
) -> None:
    """Else nothing would be read until the time comes: a year, if the clock was a year ahead."""
    year = 365 * 86_400
    server.state.now += year
    server.put("then", server.state.now - 5)
    server.put("gone", server.state.now - 4)
    first = connector.read(*BOTH)
    server.state.now -= year
    server.put("now", server.state.now - 5)
    server.delete("gone", server.state.now - 4)
    second = connector.read(*BOTH, state=first.state)
    assert present(first, second) == {"then", "now"}
    assert "later than the server's clock" in second.log
    assert (second.cursors()[-1] or "") <= stamp(server.state.now)
    server.put("next", server.state.now + 5)
    server.delete("now", server.state.now + 6)
    server.state.now += 10
    third = connector.read(*BOTH, state=second.state)
    assert present(first, second, third) == {"then", "next"}
    assert "later than" not in third.log
