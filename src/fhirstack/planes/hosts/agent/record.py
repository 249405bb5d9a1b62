"""What the agent keeps on a host: whose it is, who works on it now, and what was done."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

from fhirstack.planes.hosts.agent.base import (
    STATE,
    AgentError,
    Change,
    Resource,
    at,
    read,
    write,
)

LOCK_SECONDS = 15
"""Somebody else at work is waited for so long."""
_MOST_BYTES = 2**20
"""Of the record; then the older half goes."""
_LOCK = f"{STATE}/lock"
_OWNER = f"{STATE}/host.json"
_RECORD = f"{STATE}/record.jsonl"
_FORGET = f"rm -f {_OWNER} {_RECORD}"
_IDENTITY = {"programme", "environment", "host"}


class RefusedError(AgentError):
    """The host is not to be touched: it is another's, or is being worked on."""


@contextlib.contextmanager
def locked(who: str) -> "Iterator[Callable[[str], None]]":
    """Hold the host's lock. The kernel frees it when this process ends, however it ends.

    What is being done may be told to the function that it gives: who waits is told it. Raises
    RefusedError with the name of who holds the lock, since when, and at what.
    """
    os.makedirs(at(STATE), mode=0o700, exist_ok=True)
    with open(at(_LOCK), "a+", encoding="utf-8") as held:
        _wait_for(held, fcntl.LOCK_EX)
        since = now()

        def at_work(on: str) -> None:
            held.truncate(0)
            held.write(f"{who}, since {since}" + (f", now at {on}," if on else ""))
            held.flush()

        at_work("")
        try:
            yield at_work
        finally:
            held.truncate(0)


@contextlib.contextmanager
def at_rest() -> "Iterator[None]":
    """Hold off who would work on the host: what is half done is not how the host is.

    Makes no file. Raises RefusedError with the name of who is at work.
    """
    try:
        held = open(at(_LOCK), encoding="utf-8")  # noqa: SIM115 - a host without it is at rest
    except FileNotFoundError:
        yield
        return
    with held:
        _wait_for(held, fcntl.LOCK_SH)
        yield


def _wait_for(held: "IO[str]", kind: int) -> None:
    limit = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(held, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > limit:
                held.seek(0)
                holder = held.read().strip() or "somebody"
                raise RefusedError(f"{holder} is working on this host") from None
            time.sleep(0.2)


def now() -> str:
    """Return the host's time in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def owner() -> "dict[str, str] | None":
    """Return whose host it is: by its mark, or else by what was done last; None: nobody's.

    Raises AgentError where something was done, and nothing tells for whom.
    """
    for text in _words():
        if found := _told(text):
            return found
    if any(os.path.lexists(at(path)) for path in (_OWNER, _RECORD)):
        raise AgentError(
            f"the host was applied before, and {_OWNER}, which tells for whom, is gone or broken:"
            f" if it is yours, or was given away on purpose, `{_FORGET}` on it, then apply again"
        )
    return None


def _told(text: "str | None") -> "dict[str, str] | None":
    with contextlib.suppress(ValueError):
        found = json.loads(text or "null")
        found = found.get("identity", found) if isinstance(found, dict) else None
        if isinstance(found, dict) and found.keys() >= _IDENTITY:
            return {key: str(found[key]) for key in sorted(_IDENTITY)}
    return None


def _words() -> "Iterator[str]":
    # The record is long, and read only where the mark does not tell.
    yield read(_OWNER) or ""
    yield from reversed((read(_RECORD) or "").splitlines())


def refuse_others(identity: "dict[str, str]") -> None:
    """Raise RefusedError where the host is already another host, or another environment's."""
    known = owner()
    if known is None or known == identity:
        return
    of = f"{known['host']} of {known['environment']} ({known['programme']})"
    why = "it was given away"
    if {**known, "host": ""} == {**identity, "host": ""}:
        why = f"it is {identity['host']} from now on, with what lies on it,"
    raise RefusedError(f"this machine is {of}. If {why} on purpose: `{_FORGET}` on it")


class Mark(Resource):
    """The note of whose host it is, where it was taken away from a host that was applied."""

    kind = "mark"

    def plan(self) -> "list[Change]":
        if owner() is None or _told(read(_OWNER)):
            return []
        reason = "whose host it is was taken away; the record of what was done tells it"
        return [self.change("create", after=_OWNER, reason=reason)]

    def apply(self, changes: "list[Change]") -> None:
        own(self.identity)


def own(identity: "dict[str, str]") -> None:
    """Note whose host this is."""
    if not _told(read(_OWNER)):
        os.makedirs(at(STATE), mode=0o700, exist_ok=True)
        write(_OWNER, json.dumps(identity), 0o600)


def give_away() -> None:
    """Let the host be nobody's: its mark goes, and its record is kept under another name."""
    if os.path.lexists(at(_RECORD)):
        os.replace(at(_RECORD), at(f"{STATE}/record-until-{now()}.jsonl"))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(at(_OWNER))


def note(entry: "dict[str, Any]") -> None:
    """Append what was done to the host's record, one JSON object a line."""
    text = read(_RECORD) or ""
    if len(text) > _MOST_BYTES:
        text = text[len(text) // 2 :].partition("\n")[2]
        write(_RECORD, text, 0o600)
    handle = os.open(at(_RECORD), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as stream:
        stream.write(json.dumps({"at": now(), **entry}) + "\n")
