"""One run: what its streams share."""

import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from . import bundle, messages, times
from .client import FhirClient
from .config import Config
from .deletions import History, Sweep
from .errors import FhirError
from .names import RESOURCE_IDS, stream_of
from .pages import Pages
from .position import Position
from .reader import TypeReader
from .workers import Batch


class Run:
    """The state before the run, what the server refuses, and which sweeps are due."""

    def __init__(
        self,
        client: FhirClient,
        config: Config,
        logger: logging.Logger,
        states: Mapping[str, Mapping[str, Any]],
        sweeps_wanted: bool,
    ) -> None:
        self._client, self._config, self._logger = client, config, logger
        self._states = states
        self._sweeping = sweeps_wanted and config.deletions != "none"
        self._history = History(config.deletions, logger, self._sweeping)
        self._swept: dict[str, str] = dict(states.get(RESOURCE_IDS, {}).get("sweeps") or {})
        self._done: list[str] = []

    def totals(self, resource_type: str, incremental: bool) -> Iterator[Batch]:
        """Tell how many of a type there are and how many will be read, where the server says it.

        Asked before anything is read: what comes meanwhile only adds to what will have been read.
        """
        name, start = stream_of(resource_type), self._position(resource_type, incremental).start
        try:
            held = self._total(resource_type, "")
            if held is not None:
                yield [messages.total(name, held)]
            if start:
                held = self._total(resource_type, f"&_lastUpdated=ge{times.text(start)}")
            if held is not None:
                yield [messages.estimate(name, held)]
        except FhirError as error:
            self._logger.info(f"how many there are of {resource_type} is not known: {error}")

    def _total(self, resource_type: str, condition: str) -> int | None:
        url = f"{self._config.base}/{resource_type}?_summary=count{condition}"
        answer = self._client.get(url, bundle.search, limit=self._config.page_limit, attempts=1)
        return answer.value.total

    def _position(self, resource_type: str, incremental: bool) -> Position:
        state = self._states.get(stream_of(resource_type), {}) if incremental else {}
        config = self._config
        return Position.of_state(state, config.start_date, config.overlap_seconds)

    def type(self, resource_type: str, incremental: bool) -> Iterator[Batch]:
        """Read a type from where its state left it, or all of it."""
        config, position = self._config, self._position(resource_type, incremental)
        reader = TypeReader(
            self._client,
            config,
            resource_type,
            position=position,
            history=self._history,
            logger=self._logger,
            sweeping=self._sweeping,
        )
        yield from reader.batches()
        if reader.swept_at:
            self._swept[resource_type] = reader.swept_at
        self._done.append(resource_type)

    def sweeps(self) -> Iterator[Batch]:
        """Sweep the types of this run whose sweep is due, after they were read without error.

        Raise FhirError at the end if some could not be swept.
        """
        mode = self._config.deletions
        due = mode == "sweep" or (mode == "auto" and self._history.refused)
        failures: list[str] = []
        for resource_type in self._done if due else []:
            if not self._is_due(resource_type):
                continue
            sweep = Sweep(resource_type)
            try:
                yield from sweep.batches(Pages(self._client, self._config.base), self._config)
            except FhirError as error:
                failures.append(str(error))
                continue
            self._swept[resource_type] = sweep.started_at
            yield [self._state()]
        yield [self._state()]
        if failures:
            raise FhirError("; ".join(failures))

    def _is_due(self, resource_type: str) -> bool:
        last = times.parse(self._swept.get(resource_type))
        interval = timedelta(hours=self._config.sweep_interval_hours)
        return last is None or times.now() - last >= interval

    def _state(self) -> Any:
        return messages.state(RESOURCE_IDS, {"sweeps": dict(self._swept)})
