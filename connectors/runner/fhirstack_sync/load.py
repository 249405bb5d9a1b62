"""The load of a run: the connectors at work, and what they tell on the way."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import psycopg

from fhirstack_sync import pipe
from fhirstack_sync.catalog import configured_catalog, state_messages
from fhirstack_sync.config import SWEEP, Config
from fhirstack_sync.store import Outcome, Store

LOADED = "destination-warehouse:loaded"
REJECTED = "source-fhir:rejected"
TOTAL = "source-fhir:total"

_SHOWN = 300
"""Characters of a reason; the whole of it is in the table."""

Rejected = tuple[str, str | None, str]
"""Stream, id if it has one, and reason."""

Emit = Callable[[Mapping[str, Any]], None]
"""Takes an event for people: ``progress``, ``log``, ``phase`` or ``done``."""


def warn(emit: Emit, who: str, text: str) -> None:
    """Tell people something that they should know of."""
    emit({"event": "log", "who": who, "level": "WARN", "message": text})


class Load:
    """What the connectors did so far in a run."""

    def __init__(
        self, config: Config, store: Store, number: int, outcome: Outcome, emit: Emit
    ) -> None:
        self._config, self._store, self._number = config, store, number
        self._outcome, self._emit = outcome, emit
        self._named = store.rejected()
        self._rejected: list[Rejected] = []
        self._kept: list[Rejected] = []
        self._problems: list[str] = []
        self._expected: dict[str, int] = {}
        self._come: dict[str, int] = {}

    def run(self, names: Iterable[str], *, full: bool) -> str | None:
        """Run the connectors for these streams; return what failed of it, if anything did."""
        config, names = self._config, tuple(names)
        streams = {*names, SWEEP}
        states = {k: v for k, v in self._store.states().items() if k in streams}
        self._problems.clear()
        failed = None
        try:
            pipe.run(
                pipe.Connector(config.python, "source_fhir", config.source),
                pipe.Connector(config.python, "destination_warehouse", config.destination),
                catalog=configured_catalog(names, self._number, full=full),
                state=state_messages(states),
                heard=self._heard,
                log=config.log,
            )
        except pipe.ConnectorError as error:
            failed = "; ".join([*self._problems, str(error)])
        # A destination that never began has made no table: they will be told again.
        with suppress(psycopg.errors.UndefinedTable):
            self._keep_rejected()
            # A full refresh ends with what the destination has not seen going, these among it.
            for rejected in self._kept:
                self._store.reject(*rejected)
        return failed

    def _heard(self, who: str, message: Mapping[str, Any]) -> None:
        if who == "destination" and message["type"] == "STATE":
            # Before the state, after which they are not told again.
            self._keep_rejected()
            found = message["state"]["stream"]
            name = found["stream_descriptor"]["name"]
            state = found.get("stream_state") or {}
            self._store.save_state(name, state)
            self._outcome.count(name).watermark = state.get("cursor")
        elif message["type"] == "TRACE":
            if self._traced(message["trace"], who):
                self._emit({"event": "progress", **self._totals()})
        elif message["type"] == "LOG" and message["log"]["level"] in ("WARN", "ERROR", "FATAL"):
            self._emit({"event": "log", "who": who, **message["log"]})

    def _keep_rejected(self) -> None:
        # Their table is the destination's, and on the first run it makes it as it begins.
        while self._rejected:
            found = self._store.reject(*self._rejected[0])
            self._kept.append(self._rejected.pop(0))
            if found not in self._named:
                self._named.add(found)
                stream, name, reason = found
                warn(self._emit, "source", f"{stream}/{name} is rejected: {reason[:_SHOWN]}")

    def _traced(self, trace: Mapping[str, Any], who: str) -> bool:
        """Take what a connector tells besides records: counts, rejected records, ends, errors.

        Whether it is a step of the load: what there will be to do is none.
        """
        outcome = self._outcome
        if trace["type"] == "ANALYTICS":
            told = trace["analytics"]
            self._told(told["type"], json.loads(told["value"]))
            return bool(told["type"] != TOTAL)
        if trace["type"] == "ESTIMATE":
            told = trace["estimate"]
            self._expected[told["name"]] = told["row_estimate"]
            return False
        if trace["type"] == "STREAM_STATUS" and who == "source":
            status = trace["stream_status"]
            outcome.count(status["stream_descriptor"]["name"]).status = status["status"].lower()
        elif trace["type"] == "ERROR":
            self._problems.append(f"{who}: {trace['error']['message']}")
        return True

    def _told(self, what: str, told: Mapping[str, Any]) -> None:
        if what == LOADED:
            count = self._outcome.count(told["stream"])
            count.resources += told["written"]
            count.deleted += told["deleted"]
            count.rejected += told["rejected"]
            count.bytes += told["bytes"]
            come = told["written"] + told["unchanged"] + told["rejected"]
            self._come[told["stream"]] = self._come.get(told["stream"], 0) + come
        elif what == REJECTED:
            self._outcome.count(told["stream"]).rejected += 1
            self._rejected.append((told["stream"], told.get("id"), told["reason"]))
        elif what == TOTAL:
            self._outcome.totals[told["stream"]] = told["total"]

    def _totals(self) -> dict[str, int | None]:
        """Return what was done so far; of how many, once every type has said it."""
        known = self._expected.keys() >= set(self._config.streams)
        of = sum(self._expected.values()) if known else None
        return {**self._outcome.figures, "read": sum(self._come.values()), "of": of}
