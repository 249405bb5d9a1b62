"""Runs that break in the middle: what failed is named, nothing is left, the next is whole."""

import os
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from fhirstack_sync import pipe, sync
from fhirstack_sync.catalog import configured_catalog
from fhirstack_sync.config import Config
from fhirstack_sync.store import BusyError
from source_fhir_server import hang, status
from test_runner_harness import Pair, children

PACKAGES = ("source_fhir", "destination_warehouse")
TORN = """\
import os, signal, sys
record = b'{"type":"RECORD","record":{"stream":"patient","emitted_at":1,"data":{"id":"%s",'
record += b'"resource_type":"Patient","resource":{"resourceType":"Patient","id":"%s"}}}}\\n'
out = sys.stdout.buffer
for name in (b"whole", b"torn"):
    line = record % (name, name)
    out.write(line if name == b"whole" else line[:-20])
out.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def filled(pair: Pair) -> Pair:
    """More than the pipe between the two holds back: some of it is written before the end."""
    for number in range(400):
        pair.server.put(f"p{number:05d}", number, data="x" * 6000)
    pair.server.fill(300, "Observation")
    pair.destination = {"batch_rows": 20}
    return pair


@pytest.fixture(autouse=True)
def nothing_is_left_running():
    yield
    assert [pid for package in PACKAGES for pid in children(package)] == []


def once(act: Callable[[], None]) -> Callable[[Mapping[str, Any]], None]:
    """Act at the first event that tells of rows in the warehouse."""
    done: list[bool] = []

    def each(event: Mapping[str, Any]) -> None:
        if event["event"] == "progress" and event["resources"] and not done:
            done.append(True)
            act()

    return each


def kill(package: str) -> Callable[[], None]:
    def act() -> None:
        (pid,) = children(package)
        os.kill(pid, signal.SIGKILL)

    return act


@pytest.mark.parametrize(
    ("package", "says"),
    [("source_fhir", "source ended with -9"), ("destination_warehouse", "destination ended with")],
)
@pytest.mark.parametrize("full", [False, True])
def test_a_killed_connector_fails_the_run_and_the_next_is_whole(
    filled: Pair, package: str, says: str, full: bool
) -> None:
    if package == "source_fhir":
        # So that it is not at its end already when it is killed.
        filled.source = {"parallel_streams": 1, "timeout_seconds": 120}
        filled.server.fault(hang(120), on=lambda h: h.is_next and "_getpagesoffset=300" in h.path)
    outcome = filled.run(full=full, each=once(kill(package)))
    assert outcome.status == "failed"
    assert says in str(outcome.error)
    assert len(filled.rows("Patient")) < 400
    assert filled.runs()[0][0] == "failed"
    filled.ok()
    filled.assert_equal()


def test_one_type_that_fails_holds_up_no_other(filled: Pair) -> None:
    filled.server.state.forbidden = {"Observation"}
    outcome = filled.run()
    assert outcome.status == "failed"
    assert "observation" in str(outcome.error)
    assert "403" in str(outcome.error)
    assert len(filled.rows("Patient")) == 400
    assert filled.rows("Observation") == {}
    states = {name: count.status for name, count in outcome.streams.items()}
    assert (states["patient"], states["observation"]) == ("complete", "incomplete")
    filled.server.state.forbidden = set()
    outcome = filled.ok()
    assert outcome.count("patient").resources == 0
    filled.assert_equal()


def test_a_server_that_is_down_is_named(filled: Pair) -> None:
    filled.source = {"max_attempts": 2}
    filled.server.fault(status(503), times=1000, on=lambda h: True)
    outcome = filled.run()
    assert outcome.status == "failed"
    assert "503" in str(outcome.error)
    assert "source ended with 1" in str(outcome.error)


def test_a_wrong_secret_of_the_client_is_named(filled: Pair) -> None:
    filled.server.state.tokens = set()
    auth = {"type": "oauth2", "token_url": f"{filled.server.root}/token", "client_id": "c"}
    filled.source = {"auth": {**auth, "client_secret": "wrong"}, "max_attempts": 2}
    told = '{"error":"unauthorized_client"}'
    filled.server.fault(lambda h: h.answer(401, told), times=10, on=lambda h: h.command == "POST")
    outcome = filled.run()
    assert outcome.status == "failed"
    assert "unauthorized_client" in str(outcome.error)
    assert "wrong" not in str(outcome.error)


def test_the_last_line_of_a_killed_source_is_not_carried_if_it_is_torn(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that ends in the middle of a line, and the real destination."""
    (pair.directory / "torn_source.py").write_text(TORN)
    monkeypatch.setenv("PYTHONPATH", f"{pair.directory}:{os.environ['PYTHONPATH']}")
    config = pair.config
    with pytest.raises(pipe.ConnectorError, match="source ended with -9"):
        pipe.run(
            pipe.Connector(config.python, "torn_source", config.source),
            pipe.Connector(config.python, "destination_warehouse", config.destination),
            catalog=configured_catalog(["patient"], 1, full=False),
            state=[],
            heard=lambda who, message: None,
            log=config.log,
        )
    assert pair.rows("Patient").keys() <= {"whole"}
    assert pair.query("SELECT * FROM airbyte.rejected_records") == []


def test_a_session_that_the_warehouse_ends_fails_the_run_only(filled: Pair) -> None:
    """As when PostgreSQL restarts: the lock's session and the writer's are gone."""

    def ended() -> None:
        filled.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    outcome = filled.run(each=once(ended))
    assert outcome.status == "failed"
    assert "the warehouse" in str(outcome.error)
    assert filled.runs()[0][0] == "failed"
    filled.ok()
    filled.assert_equal()


def test_an_interruption_is_recorded_and_passed_on(filled: Pair) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        filled.run(each=once(interrupted))
    assert filled.runs()[0][0] == "interrupted"
    filled.ok()
    filled.assert_equal()


def test_a_second_run_gives_up_after_its_limit(filled: Pair) -> None:
    store = filled.store()
    with store.connection:
        store.lock(1)
        with pytest.raises(BusyError):
            sync.run(filled.config, lambda event: None, wait_seconds=1)
    filled.ok()


def test_a_second_run_waits_for_the_first_and_neither_overlaps(filled: Pair) -> None:
    config = filled.config
    ended: list[str] = []

    def other(config: Config) -> None:
        ended.append(sync.run(config, lambda event: None, wait_seconds=60).status)

    threads = [threading.Thread(target=other, args=(config,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == ["ok", "ok"]
    ((overlaps,),) = filled.query(
        "SELECT count(*) FROM sync.runs a JOIN sync.runs b ON a.id < b.id"
        " WHERE b.started_at < a.finished_at"
    )
    assert overlaps == 0
    filled.assert_equal()


def test_a_connector_sees_no_variables_but_its_own(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = "import json, os, sys\nopen(sys.argv[-1], 'w').write(json.dumps(dict(os.environ)))\n"
    (pair.directory / "telling_source.py").write_text(script)
    monkeypatch.setenv("PYTHONPATH", f"{pair.directory}:{os.environ['PYTHONPATH']}")
    monkeypatch.setenv("A_PASSWORD", "secret")
    config, told = pair.config, tmp_path / "told"
    pipe.run(
        pipe.Connector(config.python, "telling_source", told),
        pipe.Connector(config.python, "destination_warehouse", config.destination),
        catalog=configured_catalog(["patient"], 1, full=False),
        state=[],
        heard=lambda who, message: None,
        log=config.log,
    )
    assert "PYTHONPATH" in told.read_text()
    assert "secret" not in told.read_text()
