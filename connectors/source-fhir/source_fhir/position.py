"""How far a stream has come, and where a later search must begin."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from . import times


@dataclass
class Position:
    """The place in one stream, by `meta.lastUpdated`.

    A resource may become visible after others that carry a later `lastUpdated`: its transaction
    began before theirs and was committed after. So nothing from `overlap` seconds before the
    first search began counts as read, and the next run reads it again.
    """

    start: datetime | None
    overlap: timedelta
    deletions_since: datetime | None = None
    began: datetime | None = None
    newest: datetime | None = None
    reached: datetime | None = None
    ascending: bool = True
    _last: datetime | None = None

    @classmethod
    def of_state(
        cls, state: Mapping[str, Any], start_date: str | None, overlap_seconds: float
    ) -> "Position":
        """From the state of an earlier run; without one, from `start_date` or the beginning."""
        start = times.parse(state.get("cursor")) or times.parse(start_date)
        if start is None and start_date:
            start = times.parse(f"{start_date}T00:00:00Z")
        since = times.parse(state.get("deletions_since"))
        return cls(start, timedelta(seconds=overlap_seconds), since)

    def begin(self, server_time: datetime) -> None:
        """Note that a search began at this time of the server; only a run's first counts."""
        if self.began is None:
            self.began = server_time

    @property
    def ahead(self) -> bool:
        """Whether it begins after the server's present: the server's clock was ahead, or is behind.

        What was written since it was set right carries an earlier time, and nobody knows which.
        """
        return bool(self.start and self.began and self.start > self.began + self.overlap)

    def forget(self) -> None:
        """Begin from the beginning."""
        self.start = self.deletions_since = self.newest = self.reached = None
        self.ascending = True

    def watch_deletions(self) -> None:
        """Let the next run ask for deletions since this one, unless that is known already."""
        if self.deletions_since is None:
            self.deletions_since = self._horizon()

    def new_search(self) -> datetime | None:
        """Where the search goes on from when it must be made anew; None is the beginning."""
        self._last = None
        return self.resume

    @property
    def resume(self) -> datetime | None:
        """Everything before this was read in this run or an earlier one."""
        return self.reached if self.ascending and self.reached else self.start

    def see(self, moment: datetime) -> None:
        """Note that a resource with this `lastUpdated` was read."""
        last = self._last
        if last is not None and moment < last:
            self.ascending = False
        else:
            self._last = moment
        if self.newest is None or moment > self.newest:
            self.newest = moment

    def page_ends(self) -> None:
        """All of a page was read."""
        if self.ascending and self._last:
            self.reached = self._last

    def _horizon(self) -> datetime | None:
        return self.began - self.overlap if self.began else None

    def midway(self) -> dict[str, str]:
        """Return the state in the middle of a search: it is resumed at the last resource read."""
        horizon, resume = self._horizon(), self.resume
        if resume and horizon and resume is not self.start:
            resume = min(resume, horizon)
        return self._state(resume)

    def end(self) -> dict[str, str]:
        """Return the state when all was read."""
        horizon = self._horizon()
        if self.newest is None or horizon is None:
            return self._state(self.start)
        return self._state(times.just_after(self.newest) if self.newest < horizon else horizon)

    def _state(self, cursor: datetime | None) -> dict[str, str]:
        state = {}
        if cursor:
            state["cursor"] = times.text(cursor)
        if self.deletions_since:
            state["deletions_since"] = times.text(self.deletions_since)
        return state
