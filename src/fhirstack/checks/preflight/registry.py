"""Which function judges which requirement on what was seen, and judging all of them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from fhirstack.checks.preflight.facts import Facts, Seen
from fhirstack.errors import ExitCode
from fhirstack.model.host import Host, Role
from fhirstack.page.requirements import How, requirements
from fhirstack.page.results import CheckResult, Finding, exit_code, result, skipped

OfHost = Callable[[Seen, Host, Facts], Finding]
OfAll = Callable[[Seen], Finding | None]
"""None: nothing of it is among the hosts that were chosen."""

_MODULES = ("machines", "storage", "system", "network", "reach", "access")
_ALL = frozenset(Role)


@dataclass(frozen=True, slots=True)
class _HostJudge:
    look: OfHost
    roles: frozenset[Role]


_hosts: dict[str, _HostJudge] = {}
_environments: dict[str, OfAll] = {}


def host_check(identifier: str, roles: Collection[Role] = _ALL) -> Callable[[OfHost], OfHost]:
    """Register a function that judges a requirement on each host of these roles."""

    def register(function: OfHost) -> OfHost:
        if identifier in _hosts:
            raise ValueError(f"{identifier} is judged twice")
        _hosts[identifier] = _HostJudge(function, frozenset(roles))
        return function

    return register


def environment_check(identifier: str) -> Callable[[OfAll], OfAll]:
    """Register a function that judges a requirement on all hosts together."""

    def register(function: OfAll) -> OfAll:
        if identifier in _environments:
            raise ValueError(f"{identifier} is judged twice")
        _environments[identifier] = function
        return function

    return register


@cache
def _loaded() -> None:
    for module in _MODULES:
        import_module(f"fhirstack.checks.preflight.{module}")


def judged() -> frozenset[str]:
    """Return the ids of all requirements that preflight judges."""
    _loaded()
    return frozenset(_hosts.keys() | _environments.keys())


def run(seen: Seen) -> tuple[CheckResult, ...]:
    """Judge what was seen, in the order of the requirements; a host not reached is skipped."""
    _loaded()
    environment = seen.environment
    results = []
    for entry in requirements():
        if How.HOST not in entry.how or environment.kind not in entry.kinds:
            continue
        if entry.id in _environments:
            finding = _environments[entry.id](seen)
            if finding:
                results.append(result(entry, environment, finding))
        if entry.id in _hosts:
            judge = _hosts[entry.id]
            results += [
                result(entry, environment, _find(judge.look, seen, host), host.name)
                for host in seen.hosts
                if host.role in judge.roles
            ]
    return tuple(results)


def conclusion(seen: Seen, results: Collection[CheckResult]) -> ExitCode:
    """Return 3 where a host was not reached, else 1 where a requirement is not met, else 0."""
    return ExitCode.UNREACHABLE if seen.unreached else exit_code(results)


def _find(look: OfHost, seen: Seen, host: Host) -> Finding:
    facts = seen.facts.get(host.name)
    if facts is None:
        missing: Mapping[str, object] = seen.unreached
        return skipped("the host was not reached" if host.name in missing else "not looked at")
    return look(seen, host, facts)
