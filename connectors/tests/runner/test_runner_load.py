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
