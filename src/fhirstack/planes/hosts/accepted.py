"""What hosts report and the site accepts: not told, but for who asks for all.

Only what is a ``report`` can be accepted. A difference opens a door, cuts logs off or ends
protection: it is put right, whatever the site accepts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

from fhirstack.model.accepted import Acceptance
from fhirstack.model.host import Host
from fhirstack.planes.hosts.plane import HostPlan, Plan
from fhirstack.planes.plane import Action, Change


def accept(found: Plan, acceptances: Iterable[Acceptance], hosts: Iterable[Host]) -> Plan:
    """Return the plan with what the site accepts set apart, and acceptances that do nothing.

    ``hosts`` are all of the environment. That an acceptance fits nothing is said where every host
    that it speaks of was looked at.
    """
    known, everyone = tuple(acceptances), {host.name: host for host in hosts}
    used: set[Acceptance] = set()
    plans = {}
    for name, plan in found.hosts.items():
        told, accepted = [], []
        for change in plan.changes:
            fitting = [a for a in known if _at(a, everyone[name]) and _fits(a, change)]
            if change.action is Action.REPORT and fitting:
                used |= {fitting[0]}
                accepted.append((change, fitting[0].reason))
            else:
                told.append(change)
        plans[name] = replace(plan, changes=tuple(told), accepted=tuple(accepted))
    notes = tuple(_unused((a for a in known if a not in used), plans, everyone))
    return replace(found, hosts=plans, notes=notes)


def _unused(
    left: Iterable[Acceptance], plans: dict[str, HostPlan], hosts: dict[str, Host]
) -> Iterator[str]:
    """Say which acceptances do nothing."""
    for acceptance in left:
        meant = [name for name, host in hosts.items() if _at(acceptance, host)]
        doors = [n for n in meant if n in plans for c in plans[n].changes if _fits(acceptance, c)]
        if doors:
            yield (
                f"{acceptance.what} is accepted, and is a difference on {doors[0]}:"
                " what opens a door or ends protection is put right, and cannot be accepted"
            )
        elif all(name in plans for name in meant):
            yield (
                f"{acceptance.what} is accepted, and no host has it:"
                " take it out of `accepted` in the site"
            )


def _at(acceptance: Acceptance, host: Host) -> bool:
    return not acceptance.hosts or bool({host.name, host.role.value} & set(acceptance.hosts))


def _fits(acceptance: Acceptance, change: Change) -> bool:
    """Compare with the change's address without the host's name before it."""
    return fnmatchcase(change.address.partition("/")[2], acceptance.what)
