"""One run: lock, load, transform, record."""

import time
from dataclasses import asdict
from typing import Any

import psycopg

from fhirstack_sync import transform
from fhirstack_sync.config import SWEEP, Config
from fhirstack_sync.load import Emit, Load, warn
from fhirstack_sync.store import Outcome, Store, connect

AGAIN = 2
"""How often a type is read again of which fewer are here than the server counted. Its clock was set
back, or it made something visible very late; or what it counted was deleted before it was read,
which may happen once more where much is deleted and the machine is slow."""


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
    load = Load(config, store, number, outcome, emit)
    failed = load.run(config.streams, full=full)
    if failed:
        return failed
    missing = _missing(store, outcome)
    again = {name for name, lacks in missing.items() if store.lacks(name) != lacks}
    for _ in range(AGAIN):
        if not again:
            break
        told = "fewer are here than the server holds, so all of it is read again"
        warn(emit, "runner", f"{', '.join(sorted(again))}: {told}")
        store.forget_states(again)
        failed = load.run(tuple(sorted(again)), full=False)
        missing |= dict.fromkeys(again, 0) | _missing(store, outcome)
        again = {name for name in again if missing[name]}
    for name in outcome.totals:
        store.note_lack(name, missing.get(name, 0))
    lacking = [f"{lacks} of {name}" for name, lacks in sorted(missing.items()) if lacks]
    if lacking:
        told = f"the server holds what it does not give out: {', '.join(lacking)}"
        failed = "; ".join(filter(None, (failed, told)))
    return failed


def _missing(store: Store, outcome: Outcome) -> dict[str, int]:
    """Return, by stream, how many the server held when the run began, and the warehouse does not.

    What was deleted in this run may have been counted, and may not.
    """
    lacks = {
        name: total - store.held(name) - outcome.count(name).deleted
        for name, total in outcome.totals.items()
    }
    return {name: number for name, number in lacks.items() if number > 0}


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


def _summary(number: int, outcome: Outcome) -> dict[str, Any]:
    return {
        "run": number,
        "status": outcome.status,
        "error": outcome.error,
        "seconds": round(outcome.seconds, 3),
        "watermark": outcome.watermark,
        **outcome.figures,
        "streams": {name: asdict(count) for name, count in sorted(outcome.streams.items())},
    }
