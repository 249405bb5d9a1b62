"""One run: lock, load, transform, record."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import psycopg

from fhirstack_sync import pipe, transform
from fhirstack_sync.catalog import configured_catalog, state_messages
from fhirstack_sync.config import SWEEP, Config
from fhirstack_sync.store import Outcome, Store, connect

LOADED = "destination-warehouse:loaded"
REJECTED = "source-fhir:rejected"

Rejected = tuple[str, str | None, str]
"""Stream, id if it has one, and reason."""

Emit = Callable[[Mapping[str, Any]], None]
"""Takes an event for people: ``progress``, ``log``, ``phase`` or ``done``."""


def run(config: Config, emit: Emit, *, full: bool = False, wait_seconds: int = 600) -> Outcome:
    """Carry everything new to the warehouse, and transform it. The record is kept in any case.

    Raises BusyError when another run does not end in time, psycopg.OperationalError when the
    warehouse cannot be reached; all other failures are in the outcome.
    """
    outcome = Outcome()
    with connect(config.warehouse) as connection:
        store = Store(connection)
        store.lock(wait_seconds)
        started = time.monotonic()
        number = store.begin(full=full)
        emit({"event": "phase", "phase": "load", "run": number})
        try:
            # What came is transformed also when a type failed: one must not hold up all.
            outcome.error = _load(config, store, number, outcome, emit, full=full)
            _transform(config, store, outcome, emit, full=full)
            outcome.status = "failed" if outcome.error else "ok"
        except (transform.TransformationError, OSError) as error:
            outcome.status = "failed"
            outcome.error = "; ".join(filter(None, (outcome.error, str(error))))
        except psycopg.Error as error:
            outcome.status, outcome.error = "failed", f"the warehouse: {error}".strip()
        except BaseException:
            outcome.status, outcome.error = "interrupted", "it was stopped"
            raise
        finally:
            outcome.seconds = time.monotonic() - started
            _finish(config, store, number, outcome)
    emit({"event": "done", **_summary(number, outcome)})
    return outcome


def _load(
    config: Config, store: Store, number: int, outcome: Outcome, emit: Emit, *, full: bool
) -> str | None:
    """Run the connectors; return what failed of it, if anything did."""
    streams = {*config.streams, SWEEP}
    if full:
        store.forget_states(streams)
    problems: list[str] = []
    rejected: list[Rejected] = []

    def keep_rejected() -> None:
        # Their table is the destination's, and on the first run it makes it as it begins.
        while rejected:
            store.reject(*rejected[0])
            del rejected[0]

    def heard(who: str, message: Mapping[str, Any]) -> None:
        if who == "destination" and message["type"] == "STATE":
            # Before the state, after which they are not told again.
            keep_rejected()
            found = message["state"]["stream"]
            name = found["stream_descriptor"]["name"]
            state = found.get("stream_state") or {}
            store.save_state(name, state)
            outcome.count(name).watermark = state.get("cursor")
        elif message["type"] == "TRACE":
            _traced(message["trace"], outcome, problems, rejected, who)
            emit({"event": "progress", **_totals(outcome)})
        elif message["type"] == "LOG" and message["log"]["level"] in ("WARN", "ERROR", "FATAL"):
            emit({"event": "log", "who": who, **message["log"]})

    states = {k: v for k, v in store.states().items() if k in streams}
    failed = None
    try:
        pipe.run(
            pipe.Connector(config.python, "source_fhir", config.source),
            pipe.Connector(config.python, "destination_warehouse", config.destination),
            catalog=configured_catalog(config.streams, number, full=full),
            state=state_messages(states),
            heard=heard,
            log=config.log,
        )
    except pipe.ConnectorError as error:
        failed = "; ".join([*problems, str(error)])
    # A destination that never began has made no table: they will be told again.
    with suppress(psycopg.errors.UndefinedTable):
        keep_rejected()
    return failed


def _traced(
    trace: Mapping[str, Any],
    outcome: Outcome,
    problems: list[str],
    rejected: list[Rejected],
    who: str,
) -> None:
    """Take what a connector tells besides records: counts, rejected records, ends, errors."""
    if trace["type"] == "ANALYTICS":
        told = trace["analytics"]
        if told["type"] == LOADED:
            loaded = json.loads(told["value"])
            count = outcome.count(loaded["stream"])
            count.resources += loaded["written"]
            count.deleted += loaded["deleted"]
            count.rejected += loaded["rejected"]
            count.bytes += loaded["bytes"]
        elif told["type"] == REJECTED:
            found = json.loads(told["value"])
            outcome.count(found["stream"]).rejected += 1
            rejected.append((found["stream"], found.get("id"), found["reason"]))
    elif trace["type"] == "STREAM_STATUS" and who == "source":
        status = trace["stream_status"]
        outcome.count(status["stream_descriptor"]["name"]).status = status["status"].lower()
    elif trace["type"] == "ERROR":
        problems.append(f"{who}: {trace['error']['message']}")


def _transform(config: Config, store: Store, outcome: Outcome, emit: Emit, *, full: bool) -> None:
    if config.transformation is None:
        return
    # The day, since ages and freshness go on also when nothing new comes.
    revision, day = transform.revision(config.transformation), time.strftime("%Y-%m-%d")
    made_with, last = f"{revision} {day}", store.last_transformation()
    changed = outcome.total("resources") or outcome.total("deleted")
    if not changed and not full and last == made_with:
        outcome.transformed = made_with
        return
    emit({"event": "phase", "phase": "transform"})
    # Another project may give its tables other columns: they are made from nothing.
    other = last.partition(" ")[0] != revision
    tested = transform.run(config.transformation, full=full or other)
    emit({"event": "transformed", **asdict(tested)})
    outcome.transformed = made_with
    if tested.failed:
        failed = f"{len(tested.failed)} tests of the data failed: {', '.join(tested.failed)}"
        outcome.error = "; ".join(filter(None, (outcome.error, failed)))


def _finish(config: Config, store: Store, number: int, outcome: Outcome) -> None:
    """Record the end; over a new connection if the warehouse went away meanwhile."""
    try:
        store.finish(number, outcome)
    except psycopg.OperationalError:
        try:
            with connect(config.warehouse) as connection:
                Store(connection).finish(number, outcome)
        except psycopg.OperationalError:
            # The next run finds this one unfinished, and says that it was killed.
            return


def _totals(outcome: Outcome) -> dict[str, int]:
    return {name: outcome.total(name) for name in ("resources", "deleted", "rejected", "bytes")}


def _summary(number: int, outcome: Outcome) -> dict[str, Any]:
    return {
        "run": number,
        "status": outcome.status,
        "error": outcome.error,
        "seconds": round(outcome.seconds, 3),
        "watermark": outcome.watermark,
        **_totals(outcome),
        "streams": {name: asdict(count) for name, count in sorted(outcome.streams.items())},
    }
