"""The plane `hosts`: plan, apply and confirm, for all hosts of an environment."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from fhirstack.errors import FhirstackError, UnreachableError
from fhirstack.model.host import Role
from fhirstack.planes.hosts.calls import LONG_SECONDS, Answer, Doing, Request, call, call_all, who
from fhirstack.planes.hosts.resources import Resource
from fhirstack.planes.hosts.ssh import Connections
from fhirstack.planes.plane import Action, Change

Desired = Mapping[str, tuple[Resource, ...]]


@dataclass(frozen=True)
class HostPlan:
    """How one host differs, and by what two such plans are told apart."""

    host: str
    changes: tuple[Change, ...]
    fingerprint: str
    machine_id: str
    seconds: float = 0
    """The agent's own time on the host."""
    errors: tuple[FhirstackError, ...] = ()
    """What of it could not be looked at."""
    unconfirmed: bool = False
    """Whether an earlier apply waits to be confirmed; the host puts it back by itself."""
    accepted: tuple[tuple[Change, str], ...] = ()
    """What the site accepts, each with its reason; not among ``changes``."""

    @property
    def effective(self) -> tuple[Change, ...]:
        """The changes that apply would make."""
        return tuple(change for change in self.changes if change.action is not Action.REPORT)

    @property
    def guards(self) -> bool:
        """Whether apply would change who gets in to it, or through it."""
        return any(change.guarded for change in self.effective)

    @property
    def disrupts(self) -> bool:
        """Whether apply would interrupt something that runs."""
        return any(change.disrupts for change in self.effective)


@dataclass(frozen=True)
class Beside:
    """What another plane, the databases, says of hosts whose plan was asked for."""

    changes: tuple[Change, ...] = ()
    note: str = ""
    """Why there is nothing to compare yet."""
    remedy: str = ""
    error: FhirstackError | None = None

    @property
    def effective(self) -> tuple[Change, ...]:
        """The changes that its apply would make."""
        return tuple(change for change in self.changes if change.action is not Action.REPORT)


@dataclass(frozen=True)
class Plan:
    """The plans of all hosts that were asked, and what could not be looked at."""

    hosts: Mapping[str, HostPlan]
    errors: Mapping[str, FhirstackError] = field(default_factory=dict)
    later: Mapping[str, FhirstackError] = field(default_factory=dict)
    """Hosts that the load balancer does not let anybody to until it is applied itself."""
    site: tuple[Change, ...] = ()
    """What apply would make first, beside the site file: secrets and certificates."""
    databases: Beside = field(default_factory=Beside)
    notes: tuple[str, ...] = ()
    """What the site accepts in vain."""

    def together_with(self, second: "Plan") -> "Plan":
        """Return this plan with that of the hosts that were for later."""
        return replace(
            self,
            hosts={**self.hosts, **second.hosts},
            errors={**self.errors, **second.errors},
            later=second.later,
        )

    @property
    def unseen(self) -> tuple[FhirstackError, ...]:
        """What could not be looked at of hosts that were."""
        return tuple(error for plan in self.hosts.values() for error in plan.errors)

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes that apply would make on hosts."""
        return tuple(change for plan in self.hosts.values() for change in plan.effective)


@dataclass(frozen=True)
class Outcome:
    """What apply did on one host."""

    host: str
    done: tuple[str, ...] = ()
    errors: tuple[FhirstackError, ...] = ()
    waiting: tuple[str, ...] = ()
    """What was not begun, because it needs what failed."""
    undone: bool = False
    """Whether an earlier change, that nobody had confirmed, was put back first."""


def plan(
    connections: Connections, programme: str, desired: Desired, doing: Doing | None = None
) -> Plan:
    """Ask every host how it differs: one round trip each, all at once. Changes nothing."""
    requests = {
        host: {"mode": "plan", **_request(connections, programme, host, resources)}
        for host, resources in desired.items()
    }
    answers = call_all(connections, requests, doing)
    plans, errors = {}, {}
    for host, answer in answers.items():
        try:
            plans[host] = read_plan(host, answer)
        except FhirstackError as error:
            errors[host] = error
    for problem in twins(plans.values()):
        errors |= problem
    return Plan({name: found for name, found in plans.items() if name not in errors}, errors)


def twins(plans: Iterable[HostPlan]) -> Iterable[dict[str, FhirstackError]]:
    """Yield an error for each host that shares its machine-id with another."""
    seen: dict[str, str] = {}
    for found in plans:
        other = seen.setdefault(found.machine_id, found.host)
        if other != found.host:
            yield {
                name: FhirstackError(
                    f"it has the machine-id of {twin}: one is a copy of the other,"
                    " or two names lead to one machine",
                    where=name,
                    remedy="on a copy: rm /etc/machine-id; systemd-machine-id-setup; reboot",
                )
                for name, twin in ((found.host, other), (other, found.host))
            }


def read_plan(host: str, answer: Answer | FhirstackError) -> HostPlan:
    """Return a host's plan from its agent's answer. Raises what went wrong instead."""
    if isinstance(answer, FhirstackError):
        raise answer
    if problem := answer.get("refused") or answer.get("error"):
        raise FhirstackError(str(problem), where=host)
    changes = tuple(_change(host, told) for told in answer["changes"])
    return HostPlan(
        host,
        changes,
        answer["fingerprint"],
        answer["machine_id"],
        answer.get("seconds", 0),
        _errors(host, answer),
        bool(answer.get("unconfirmed")),
    )


def _errors(host: str, answer: Answer) -> tuple[FhirstackError, ...]:
    """Return what the agent tells of single resources."""
    told: Mapping[str, str] = answer.get("errors", {})
    return tuple(
        UnreachableError(text, where=f"{host}: {address}") for address, text in told.items()
    )


def _change(host: str, told: Mapping[str, Any]) -> Change:
    return Change(
        plane="hosts",
        address=f"{host}/{told['address']}",
        action=Action(told["action"]),
        before=told["before"],
        after=told["after"],
        reason=told["reason"],
        diff=told["diff"],
        disrupts=told["disrupts"],
        guarded=told["guarded"],
    )


def apply(
    connections: Connections,
    programme: str,
    desired: Desired,
    found: Plan,
    waves: Iterable[Iterable[str]],
    *,
    doing: Doing | None = None,
    ended: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Make hosts what is declared, as it was planned: wave after wave, and in a wave all at once.

    Hosts on which something that runs is interrupted take their turn one after another; where one
    of them failed, the others of its role are not interrupted, as one that serves must be left.
    All else goes on. A host that changed since it was planned is refused.
    """
    outcomes: list[Outcome] = []
    roles = {host.name: host.role for host in connections.environment.hosts}
    for wave in waves:
        todo = [name for name in wave if name in found.hosts and found.hosts[name].effective]

        def one(name: str) -> Outcome:
            request = {
                "mode": "apply",
                "expected": found.hosts[name].fingerprint,
                **_request(connections, programme, name, desired[name]),
            }
            outcome = _apply(connections, name, request, doing)
            ended(outcome)
            return outcome

        quiet = [name for name in todo if not found.hosts[name].disrupts]
        with ThreadPoolExecutor(max_workers=max(len(quiet), 1)) as pool:
            outcomes += pool.map(one, quiet)
        broken: set[Role] = set()
        for name in todo:
            if name not in quiet and roles[name] not in broken:
                outcomes.append(one(name))
                if outcomes[-1].errors:
                    broken.add(roles[name])
    return outcomes


def undo(
    connections: Connections, programme: str, names: Iterable[str]
) -> dict[str, Answer | FhirstackError]:
    """Have hosts put back, now, what an earlier apply changed and nobody confirmed."""
    requests = {
        name: {"mode": "undo", **_request(connections, programme, name, ())} for name in names
    }
    return call_all(connections, requests)


def _apply(connections: Connections, name: str, request: Request, doing: Doing | None) -> Outcome:
    shut: list[FhirstackError] = []

    def come_back() -> None:
        try:
            _confirm(connections, name, request)
        except FhirstackError as error:
            shut.append(error)

    try:
        answer = call(connections, name, request, doing, seconds=LONG_SECONDS, confirm=come_back)
    except FhirstackError as error:
        return Outcome(name, errors=(*shut, error))
    done = tuple(answer.get("done", ()))
    waiting = tuple(answer.get("waiting", ()))
    return Outcome(name, done, _problems(name, answer, shut), waiting, bool(answer.get("undone")))


def _problems(
    name: str, answer: Answer, shut: Iterable[FhirstackError]
) -> tuple[FhirstackError, ...]:
    if refused := answer.get("refused"):
        remedy = "look again: `fhirstack plan`"
        return (UnreachableError(f"{refused}; nothing was changed", where=name, remedy=remedy),)
    if error := answer.get("error"):
        remedy = "put it right, then apply again: it goes on from there"
        return (UnreachableError(str(error), where=name, remedy=remedy),)
    locked_out = tuple(
        UnreachableError(
            f"after its new firewall or SSH settings nobody gets in: {error.what}",
            where=name,
            remedy="the host has put back what it had; check the site's addresses and keys, then"
            " apply again",
        )
        for error in shut
    )
    return locked_out + _errors(name, answer)


def _confirm(connections: Connections, name: str, request: Request) -> None:
    """Come back in by a new connection, as anybody would, and keep the guarded changes."""
    answer = call(
        connections,
        name,
        {"mode": "confirm", "token": request["token"], "identity": request["identity"]},
        fresh=True,
        seconds=request["confirm_seconds"],
    )
    if problem := answer.get("error"):
        raise UnreachableError(str(problem), where=name)


def _request(
    connections: Connections, programme: str, host: str, resources: Iterable[Resource]
) -> dict[str, Any]:
    environment = connections.environment.name
    return {
        "identity": {"programme": programme, "environment": environment, "host": host},
        "who": who(),
        "token": secrets.token_hex(8),
        "confirm_seconds": connections.environment.access.confirm_seconds,
        "resources": [resource.as_dict() for resource in resources],
    }


def as_dict(found: Plan) -> dict[str, Any]:
    """Return a plan as data, for ``--format json`` and for a saved plan."""
    return {
        "hosts": {
            name: {
                "fingerprint": plan.fingerprint,
                "changes": [change.as_dict() for change in plan.changes],
                "errors": [str(error) for error in plan.errors],
                "accepted": [
                    {**change.as_dict(), "accepted": reason} for change, reason in plan.accepted
                ],
            }
            for name, plan in found.hosts.items()
        },
        "errors": {name: str(error) for name, error in found.errors.items()},
        "later": list(found.later),
        "site": [change.as_dict() for change in found.site],
        "notes": list(found.notes),
        "databases": {
            "changes": [change.as_dict() for change in found.databases.changes],
            "note": found.databases.note,
            "error": str(found.databases.error) if found.databases.error else "",
        },
    }
