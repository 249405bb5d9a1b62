"""The schedule and its metrics, and the command line: what is told and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fhirstack_sync.schedule import Records, keep_running
from prometheus_client import CollectorRegistry, generate_latest
from test_runner_harness import Pair


def metrics(pair: Pair) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(Records(pair.config))
    return parsed(generate_latest(registry).decode())


def parsed(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def until(condition: Any, limit: float = 60) -> Any:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError("not within the limit")


def test_figures_come_from_the_records_of_all_runs(pair: Pair) -> None:
    pair.server.fill(30)
    pair.server.state.forbidden = {"Group"}
    pair.run()
    pair.server.state.forbidden = set()
    pair.ok()
    found = metrics(pair)
    assert found['fhirstack_sync_runs_total{status="ok"}'] == 1
    assert found['fhirstack_sync_runs_total{status="failed"}'] == 1
    assert found["fhirstack_sync_resources_total"] == 30
    assert found["fhirstack_sync_deleted_total"] == found["fhirstack_sync_rejected_total"] == 0
    assert found["fhirstack_sync_bytes_total"] > 1000
    assert found["fhirstack_sync_last_duration_seconds"] > 0
    assert found["fhirstack_sync_up"] == 1
    ((ended,),) = pair.query(
        "SELECT extract(epoch FROM finished_at) FROM sync.runs WHERE status = 'ok'"
    )
    told = found["fhirstack_sync_last_success_timestamp_seconds"]
    assert told == pytest.approx(float(ended), abs=0.01)
    assert "fhirstack_sync_watermark_timestamp_seconds" in found


def test_a_warehouse_that_cannot_be_read_is_said_so(pair: Pair) -> None:
    assert metrics(pair) == {"fhirstack_sync_up": 0.0}


def test_the_schedule_runs_at_once_answers_metrics_and_stops_when_told(pair: Pair) -> None:
    pair.server.fill(5)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = replace(pair.config, metrics_port=port)
    stop = threading.Event()
    events: list[Any] = []
    thread = threading.Thread(target=keep_running, args=(config, events.append, stop))
    thread.start()
    try:
        until(lambda: any(event["event"] == "done" for event in events))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            found = parsed(answer.read().decode())
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    assert found['fhirstack_sync_runs_total{status="ok"}'] == 1
    assert [run[0] for run in pair.runs()] == ["ok"]


def command(pair: Pair, verb: str, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "fhirstack_sync", verb, f"--config={pair.file}", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )


def ended(process: "subprocess.Popen[str]") -> tuple[int, list[dict[str, Any]]]:
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    return process.returncode, [json.loads(line) for line in out.splitlines()]


def test_a_good_run_ends_with_0_and_tells_events_as_lines(pair: Pair) -> None:
    pair.server.fill(5)
    code, events = ended(command(pair, "run"))
    assert code == 0
    assert events[0] == {"event": "phase", "phase": "load", "run": 1}
    assert events[-1]["event"] == "done"
    assert events[-1]["streams"]["patient"]["resources"] == 5


def test_a_run_that_failed_ends_with_1(pair: Pair) -> None:
    pair.server.state.forbidden = {"Group"}
    code, events = ended(command(pair, "run"))
    assert code == 1
    assert events[-1]["status"] == "failed"
    assert "group" in events[-1]["error"]


def test_a_full_run_is_recorded_as_one(pair: Pair) -> None:
    assert ended(command(pair, "run", "--full"))[0] == 0
    assert pair.runs()[-1][:2] == ("ok", True)


def test_another_run_that_does_not_end_is_3(pair: Pair) -> None:
    store = pair.store()
    with store.connection:
        store.lock(1)
        code, events = ended(command(pair, "run", "--wait=1"))
    assert code == 3
    assert events == [{"event": "unreachable", "error": "another run is still on after 1 s"}]


def test_a_warehouse_that_is_not_there_is_3(pair: Pair) -> None:
    pair.database += " port=1"
    code, events = ended(command(pair, "run"))
    assert code == 3
    assert "refused" in events[-1]["error"]


def wait_for_a_page(pair: Pair) -> None:
    until(lambda: any("_getpages" in request for request in pair.server.state.requests))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_stop_ends_with_130_and_its_record_says_so(
    pair: Pair, number: signal.Signals
) -> None:
    from source_fhir_server import hang  # noqa: PLC0415

    pair.server.fill(300)
    pair.server.fault(hang(2), times=20, on=lambda h: h.is_next)
    process = command(pair, "run")
    wait_for_a_page(pair)
    process.send_signal(number)
    code, events = ended(process)
    assert code == 130
    assert [event["event"] for event in events if event["event"] == "done"] == []
    assert pair.runs()[-1][0] == "interrupted"


def test_the_schedule_ends_with_0_when_it_is_told_to_stop(pair: Pair) -> None:
    pair.server.fill(5)
    process = command(pair, "schedule")
    until(lambda: Path(pair.directory, "connectors.log").exists())
    until(lambda: "done" in (process.stdout.readline() if process.stdout else ""))
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 0
