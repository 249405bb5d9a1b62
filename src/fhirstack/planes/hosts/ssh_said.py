"""What ssh said, as an error that a person can act on; and which of them pass by themselves."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from fhirstack.errors import UnreachableError

T = TypeVar("T")

_SHOWN = 8
"""Lines of what ssh said that are shown: the last is often not the one that tells."""


class PassingError(UnreachableError):
    """A connection that ended as those do that work a moment later."""


class ClosedWayError(UnreachableError):
    """The machine before one lets nothing through to it: it is off, or not known there."""


class _LostWayError(PassingError, ClosedWayError):
    """The same, told by the end of the connection alone; a host that just starts looks alike."""


_BY_A_JUMP = "UNKNOWN port 65535"
"""How ssh names the other end where it has another ssh's pipe in its place."""
_NO_WAY = "the machine before it lets nothing through to it"
_NO_WAY_REMEDY = (
    "it is off, or the load balancer's sshd and firewall do not know it: one that is new to the"
    " site is unknown there until the load balancer is applied"
)


_PASSING = (
    "Connection closed",
    "Connection reset",
    "Broken pipe",
    "kex_exchange_identification",
    "the connection was lost",
)
_PAUSES = (1, 3)
"""Seconds before a second and a third try: a host that has just started lets people in later."""


def steadily(act: Callable[[], T]) -> T:
    """Do what may be done again, up to three times where a fault that passes ended it."""
    for pause in _PAUSES:
        try:
            return act()
        except PassingError:
            time.sleep(pause)
    return act()


def explained(environment: str, way: Sequence[str], said: str) -> UnreachableError:
    """Turn what ssh said into an error that names the machine on the way, and the remedy.

    ``way``: the machines that lead to one, itself the last. All that ssh said stands below it, up
    to a few lines.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    text = "\n".join(lines)
    last = lines[-1] if lines else "the connection was lost"
    name = way[-1]
    where = f"{name} (by {' → '.join(way)})"
    for sign, what, remedy in (
        (
            "REMOTE HOST IDENTIFICATION HAS CHANGED",
            "its host key is not the one that is known: another machine may answer in its place",
            f"find out why; if it was installed anew: `fhirstack trust -e {environment} --replace`",
        ),
        (
            "Host key verification failed",
            "a host key on the way is not known",
            f"`fhirstack trust -e {environment}`, or write `host_key` in the site",
        ),
        (
            "Too many authentication failures",
            "SSH was offered so many keys that it hung up before the right one",
            "name the key in access.identity (its .pub file where an agent holds it): it alone is"
            " offered then",
        ),
        (
            "Permission denied",
            "SSH lets nobody in with the keys that were offered",
            "check access.user and access.identity, and `ssh-add -l`",
        ),
        (
            "administratively prohibited",
            _NO_WAY,
            "the load balancer's sshd must allow TCP forwarding to its hosts",
        ),
        (
            "refused by peer",
            _NO_WAY,
            _NO_WAY_REMEDY,
        ),
        (
            "onfiguration option",
            "ssh cannot read its configuration",
            "mend the file and line that ssh names below",
        ),
    ):
        if sign in text:
            told = "".join(f"\n  {line}" for line in lines[-_SHOWN:])
            shut = what == _NO_WAY
            return (ClosedWayError if shut else UnreachableError)(
                what, where=where, remedy=remedy + told
            )
    kind = PassingError if any(sign in last for sign in _PASSING) else UnreachableError
    if kind is PassingError and _BY_A_JUMP in last:
        told = "".join(f"\n  {line}" for line in lines[-_SHOWN:])
        return _LostWayError(_NO_WAY, where=where, remedy=_NO_WAY_REMEDY + told)
    before = "".join(f"\n  {line}" for line in lines[-_SHOWN:-1])
    return kind(last, where=where, remedy=f"try: fhirstack ssh -e {environment} {name}{before}")
