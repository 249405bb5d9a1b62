"""What the agent keeps on a host: whose it is, who works on it now, and what was done."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from fhirstack.planes.hosts.agent.base import STATE, AgentError, at, read, write

LOCK_SECONDS = 15
"""Somebody else at work is waited for so long."""
_MOST_BYTES = 2**20
"""Of the record; then the older half goes."""
_LOCK = f"{STATE}/lock"
_OWNER = f"{STATE}/host.json"
_RECORD = f"{STATE}/record.jsonl"


class RefusedError(AgentError):
    """The host is not to be touched: it is another's, or is being worked on."""


@contextmanager
def locked(who: str) -> "Iterator[None]":
    """Hold the host's lock. The kernel frees it when this process ends, however it ends.

    Raises RefusedError with the name of who holds it.
    """
    os.makedirs(at(STATE), mode=0o700, exist_ok=True)
    with open(at(_LOCK), "a+", encoding="utf-8") as held:
        _wait_for(held, fcntl.LOCK_EX)
        held.truncate(0)
        held.write(f"{who}, since {now()}")
        held.flush()
        try:
            yield
        finally:
            held.truncate(0)


@contextmanager
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


def refuse_others(identity: "dict[str, str]") -> None:
    """Raise RefusedError where the host is already another host, or another environment's."""
    text = read(_OWNER)
    if text is None:
        return
    try:
        known = json.loads(text)
    except ValueError:
        raise AgentError(f"{_OWNER} is not readable: remove it if the host is yours") from None
    if known != identity:
        raise RefusedError(
            f"this machine is {known.get('host')} of {known.get('environment')}"
            f" ({known.get('programme')}). If it was given away on purpose, remove {_OWNER} on it"
        )


def own(identity: "dict[str, str]") -> None:
    """Note whose host this is."""
    if read(_OWNER) is None:
        os.makedirs(at(STATE), mode=0o700, exist_ok=True)
        write(_OWNER, json.dumps(identity), 0o600)


def note(entry: "dict[str, Any]") -> None:
    """Append what was done to the host's record, one JSON object a line."""
    text = read(_RECORD) or ""
    if len(text) > _MOST_BYTES:
        text = text[len(text) // 2 :].partition("\n")[2]
        write(_RECORD, text, 0o600)
    handle = os.open(at(_RECORD), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as stream:
        stream.write(json.dumps({"at": now(), **entry}) + "\n")
