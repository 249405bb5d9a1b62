"""What every plane speaks: changes, each with its reason, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What a change does."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    START = "start"
    RESTART = "restart"
    STOP = "stop"
    REPORT = "report"
    """Not changed: something that the tool did not make, told so that a person can judge."""


@dataclass(frozen=True)
class Change:
    """One difference between what is declared and what is there.

    ``before`` and ``after`` are for people: secrets in them are masked already. ``apply`` makes
    the change; a reported difference has none.
    """

    plane: str
    address: str
    action: Action
    before: Any = None
    after: Any = None
    reason: str = ""
    disrupts: bool = False
    diff: str = ""
    """Of a text, where the whole of it would say less."""
    guarded: bool = False
    """Whether it changes who gets in, and is undone unless somebody comes back in."""
    apply: Callable[[], None] | None = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the change as data, for ``--format json``."""
        return {
            "plane": self.plane,
            "address": self.address,
            "action": self.action.value,
            "before": self.before,
            "after": self.after,
            "reason": self.reason,
            "disrupts": self.disrupts,
            "diff": self.diff,
        }


def effective(changes: list[Change]) -> list[Change]:
    """Return the changes that apply would make, without what is only reported."""
    return [change for change in changes if change.action is not Action.REPORT]
