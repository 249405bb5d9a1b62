"""Whole runs with the real connectors: all is carried, exactly, and nothing twice."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from test_runner_harness import Pair

ODD = (
    '{"resourceType":"Observation","id":"odd","meta":{"lastUpdated":"2026-01-01T00:00:00.000Z"},'
    '"valueQuantity":{"value":1.10},"note":[{"text":"ህጻን 体温 طفل \\u2603 😀"}],'
    '"contained":[{"resourceType":"Basic","id":"c","extension":[{"url":"u","extension":'
    '[{"url":"v","valueDecimal":0.100}]}]}],"effectiveDateTime":"2026-01"}'
)
SMALL = {"max_page_mib": 0.015, "max_resource_mib": 0.015}


@pytest.fixture
def filled(pair: Pair) -> Pair:
    pair.server.fill(230)
    pair.server.fill(120, "Observation")
    pair.server.put("odd", 5, "Observation", text=ODD)
    return pair


def extracted(pair: Pair) -> dict[str, Any]:
    return dict(pair.query("SELECT id, xmin::text FROM airbyte.patient"))


def test_a_run_carries_everything_and_says_so(filled: Pair) -> None:
    outcome = filled.ok()
    filled.assert_equal()
    assert len(filled.rows("Patient")) == 230
    counts = {name: count.resources for name, count in outcome.streams.items()}
    assert counts == {"patient": 230, "observation": 121, "group": 0, "resource_ids": 0}
    states = {name: count.status for name, count in outcome.streams.items()}
    assert set(states.values()) == {"complete"}
    assert filled.runs() == [("ok", False, 351, 0, 0)]
    assert [event["phase"] for event in filled.told("phase")] == ["load"]
    (done,) = filled.told("done")
    assert (done["status"], done["resources"], done["run"]) == ("ok", 351, 1)
    assert done["bytes"] > 10_000
    assert json.dumps(filled.events)
    assert filled.told("progress")[-1]["resources"] == 351


def test_a_run_with_nothing_new_writes_nothing(filled: Pair) -> None:
    filled.ok()
    before = extracted(filled)
    outcome = filled.ok()
    assert extracted(filled) == before
    assert outcome.total("resources") == outcome.total("deleted") == 0
    assert filled.runs()[-1] == ("ok", False, 0, 0, 0)


def test_what_changed_is_carried_and_what_went_is_gone(filled: Pair) -> None:
    filled.ok()
    before = extracted(filled)
    filled.server.put("p00007", filled.server.state.now + 1, active=True)
    filled.server.put("new", filled.server.state.now + 2)
    filled.server.delete("p00009", filled.server.state.now + 3)
    filled.server.state.now += 10
    outcome = filled.ok()
    filled.assert_equal()
    after = extracted(filled)
    changed = {id for id in before.keys() | after.keys() if before.get(id) != after.get(id)}
    assert changed == {"p00007", "new", "p00009"}
    assert (outcome.total("resources"), outcome.total("deleted")) == (2, 1)


def test_a_full_run_removes_what_the_server_does_not_know(filled: Pair) -> None:
    """The server forgot it without a word of its history: only reading all again finds it."""
    filled.ok()
    del filled.server.state.resources["Patient"]["p00011"]
    filled.ok()
    assert "p00011" in filled.rows("Patient")
    before = extracted(filled)
    outcome = filled.ok(full=True)
    filled.assert_equal()
    assert outcome.total("deleted") == 1
    del before["p00011"]
    assert extracted(filled) == before
    assert filled.runs()[-1][:2] == ("ok", True)


def test_a_server_without_a_history_is_swept(filled: Pair) -> None:
    filled.server.state.history_status = 405
    filled.source = {"sweep_interval_hours": 0}
    filled.ok()
    del filled.server.state.resources["Patient"]["p00011"]
    filled.server.state.now += 1
    outcome = filled.ok()
    filled.assert_equal()
    assert outcome.total("deleted") == 1


def test_what_cannot_be_carried_is_kept_with_its_reason(filled: Pair) -> None:
    """One is refused by the source, for its size; one by the destination, for its number."""
    filled.source = SMALL
    filled.server.put("huge", 500, data="x" * 20_000)
    number = '{"resourceType":"Patient","id":"number","v":1e200000}'
    filled.server.put("number", 501, text=number)
    outcome = filled.ok()
    rejected = dict(filled.query("SELECT id, reason FROM airbyte.rejected_records"))
    assert rejected.keys() == {"huge", "number"}
    assert "bytes" in rejected["huge"]
    assert rejected["number"] == "number out of range"
    # A page that was too large is asked for again: one may be met twice.
    assert outcome.count("patient").rejected in (2, 3, 4)
    assert len(filled.rows("Patient")) == 230
    assert filled.runs()[-1][-1] == outcome.total("rejected")


def test_a_rejected_resource_that_was_mended_is_carried(pair: Pair) -> None:
    pair.source = SMALL
    pair.server.fill(3)
    pair.server.put("huge", 500, data="x" * 20_000)
    pair.ok()
    assert pair.query("SELECT id FROM airbyte.rejected_records") == [("huge",)]
    pair.server.put("huge", pair.server.state.now + 1)
    pair.ok()
    pair.assert_equal()
    assert pair.query("SELECT * FROM airbyte.rejected_records") == []


def test_only_records_are_not_told(filled: Pair) -> None:
    told: list[Mapping[str, Any]] = []
    filled.ok(each=told.append)
    assert {event["event"] for event in told} <= {"phase", "progress", "log", "done"}
    assert "p00007" not in json.dumps(told)


def test_a_rejected_resource_is_named_once(pair: Pair) -> None:
    pair.source = SMALL
    pair.server.fill(3)
    long = "x" * 9_000
    for name in ("huge", long):
        pair.server.put(name, 500, data="x" * 20_000)
    pair.server.put("number", 501, text='{"resourceType":"Patient","id":"number","v":1e200000}')
    pair.ok()
    told = [text for event in pair.told("log") if " is rejected: " in (text := event["message"])]
    assert len(told) == 3
    assert max(map(len, told)) < 1000
    assert {text.split(" is rejected")[0][:30] for text in told} == {
        *("patient/huge", "patient/number", f"patient/{long}"[:30]),
    }
    assert len(pair.rows("Patient")) == 3
    pair.ok(full=True)
    assert not [event for event in pair.told("log") if "is rejected" in event["message"]]
    assert len(pair.query("SELECT * FROM airbyte.rejected_records")) == 3


def test_a_resource_without_an_id_is_one_in_every_run(pair: Pair) -> None:
    pair.server.fill(3)
    pair.server.state.extra_entries = ['{"resource":{"resourceType":"Patient"}}']
    pair.ok()
    known = pair.query("SELECT id FROM airbyte.rejected_records")
    assert len(known) == 1
    pair.server.put("new", pair.server.state.now)
    pair.ok()
    assert pair.query("SELECT id FROM airbyte.rejected_records") == known


@pytest.mark.parametrize("back", [600, 86_400, 365 * 86_400])
def test_a_servers_clock_that_is_set_back_loses_nothing(pair: Pair, back: float) -> None:
    """Whether the state is of the future by then, or was passed meanwhile unseen."""
    pair.server.fill(30)
    pair.server.put("last", pair.server.state.now)
    pair.ok()
    pair.server.state.now -= back
    pair.server.put("after", pair.server.state.now + 1)
    pair.server.state.now += 700
    pair.ok()
    pair.assert_equal()
    pair.server.put("next", pair.server.state.now)
    pair.server.state.now += 10
    pair.ok()
    pair.assert_equal()
    assert pair.told("log") == []


def test_what_the_server_counts_and_does_not_give_is_told(pair: Pair) -> None:
    """It is read again twice, and told in each run; never is such a run ok."""
    pair.server.fill(5)

    def more(handler: Any) -> None:
        told = {"resourceType": "Bundle", "type": "searchset", "total": 7}
        handler.answer(200, json.dumps(told))

    def count(handler: Any) -> bool:
        return bool(handler.is_count and handler.parts == ["Patient"])

    pair.server.fault(more, times=99, on=count)
    whole = "/fhir/Patient?_sort=_lastUpdated&_count=50&_total=none&_pretty=false"
    for reads in (3, 3):
        outcome = pair.run()
        assert outcome.status == "failed"
        assert "does not give out: 2 of patient" in str(outcome.error)
        assert len(pair.rows("Patient")) == 5
        assert pair.server.state.requests.count(whole) == reads


@pytest.mark.parametrize("times", [1, 2])
def test_what_is_deleted_between_counting_and_reading_fails_no_run(pair: Pair, times: int) -> None:
    """Others delete while a slow machine reads; what they deleted was counted, and is gone."""
    pair.server.fill(5)

    def one_more(handler: Any) -> None:
        told = {"resourceType": "Bundle", "type": "searchset", "total": 6}
        handler.answer(200, json.dumps(told))

    def count(handler: Any) -> bool:
        return bool(handler.is_count and handler.parts == ["Patient"])

    pair.server.fault(one_more, times=times, on=count)
    outcome = pair.run()
    assert (outcome.status, outcome.error) == ("ok", None)
    assert len(pair.rows("Patient")) == 5


def test_progress_tells_of_how_many(filled: Pair) -> None:
    filled.ok()
    last = filled.told("progress")[-1]
    assert (last["read"], last["of"]) == (351, 351)
    filled.server.put("new", filled.server.state.now)
    filled.ok()
    assert filled.told("progress")[-1]["of"] == 1
