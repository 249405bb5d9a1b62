"""Which function checks which requirement, and running them."""

from collections.abc import Callable, Collection, Mapping
from functools import cache
from importlib import import_module

from fhirstack.errors import UsageError
from fhirstack.model.site import Environment, Site
from fhirstack.page.requirements import NEEDS, How, Requirement, requirements
from fhirstack.page.results import CheckResult, Finding, result, skipped

Check = Callable[[Site, Environment], Finding]

_MODULES = ("environments", "machines", "network", "firewall", "services", "clients", "state")
_registry: dict[str, Check] = {}


def check(identifier: str) -> Callable[[Check], Check]:
    """Register a function as the check of a requirement."""

    def register(function: Check) -> Check:
        if identifier in _registry:
            raise ValueError(f"{identifier} has two checks")
        _registry[identifier] = function
        return function

    return register


@cache
def checks() -> Mapping[str, Check]:
    """Return the check of each requirement that is checked offline."""
    for module in _MODULES:
        import_module(f"fhirstack.page.checks.{module}")
    return _registry


def run_checks(site: Site, environments: Collection[str] = ()) -> tuple[CheckResult, ...]:
    """Judge every requirement on the site alone, for the named environments or for all.

    What only hosts or a running platform can show is ``skipped``, never ok. Raises UsageError for
    an environment that the site does not have.
    """
    for name in environments:
        if name not in site.environments:
            known = ", ".join(site.environments)
            raise UsageError(f"the site has no environment {name}", remedy=f"name one of: {known}")
    chosen = [
        item for name, item in site.environments.items() if not environments or name in environments
    ]
    results = [
        result(entry, None, _find(entry, site, chosen[0]))
        for entry in requirements()
        if entry.scope == "site"
    ]
    return (
        *results,
        *(
            result(entry, environment, _find(entry, site, environment))
            for environment in chosen
            for entry in requirements()
            if entry.scope == "environment" and environment.kind in entry.kinds
        ),
    )


def _find(requirement: Requirement, site: Site, environment: Environment) -> Finding:
    if requirement.offline:
        return checks()[requirement.id](site, environment)
    return skipped(NEEDS[How.HOST if How.HOST in requirement.how else How.LIVE])
