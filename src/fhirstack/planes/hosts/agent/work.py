"""Putting resources in place: what protects the host first, and one fault holds up what needs it.

First the guarded ones, firewall, sshd, accounts, with what they need. The controller comes back in
and confirms them before anything else is begun: so a package that cannot be had leaves no host
open, and nothing that takes long runs before it is known that somebody gets in.
"""

from typing import Callable

from fhirstack.planes.hosts.agent import rollback
from fhirstack.planes.hosts.agent.base import AgentError, Change, Resource
from fhirstack.planes.hosts.agent.packages import AptSource, Package
from fhirstack.planes.hosts.agent.problems import words
from fhirstack.planes.hosts.agent.services import Service

Todo = list[tuple[Resource, list[Change]]]


def needs(resources: "list[Resource]") -> "dict[str, set[str]]":
    """Return what each resource needs, by address: its own word, and what services tell.

    A service needs what it reads; a file that a service reads needs the service's packages, which
    bring its directory, its owner and its checker.
    """
    found = {resource.address: set(resource.spec.get("needs", ())) for resource in resources}
    for service in resources:
        if isinstance(service, Service):
            watched = {*service.spec["watch"], *service.spec["reload_watch"]}
            found[service.address] |= watched
            packages = {address for address in watched if address.startswith("package:")}
            for address in watched - packages:
                if address in found:
                    found[address] |= packages
    return found


def closure(addresses: "set[str]", needed: "dict[str, set[str]]") -> "set[str]":
    """Return addresses with all that they need."""
    found: "set[str]" = set()
    rest = list(addresses)
    while rest:
        address = rest.pop()
        if address not in found:
            found.add(address)
            rest += needed.get(address, ())
    return found


class Work:
    """What an apply has done on this host so far."""

    def __init__(
        self,
        resources: "list[Resource]",
        token: str,
        confirm_seconds: int,
        say: "Callable[..., bool]",
    ) -> None:
        self.resources = resources
        self.services = [r for r in resources if isinstance(r, Service)]
        self.needs = needs(resources)
        self.token = token
        self.confirm_seconds = confirm_seconds
        self.say = say
        """Tells the controller what is being done. Returns whether it is still there."""
        self.done: "list[str]" = []
        self.errors: "dict[str, str]" = {}
        self.waiting: "dict[str, str]" = {}
        """What was not begun, and the address of what it waits for."""
        self.stopped = False
        """Whether nobody came back in: what was guarded is put back, and nothing else begun."""

    @property
    def out(self) -> "set[str]":
        """Addresses that are not tried again."""
        return {*self.errors, *self.waiting}

    def fail(self, address: str, error: str) -> None:
        """Note what went wrong. The first word on an address stays."""
        self.errors.setdefault(address, error)

    def lacks(self, address: str) -> str:
        """Return the address of something failed that a resource needs; empty where none is."""
        everything = sorted(closure(self.needs.get(address, set()), self.needs))
        return next((other for other in everything if other in self.errors), "")

    def do(self, todo: "Todo") -> None:
        """Put all in place: what is guarded, the controller's word, then the rest."""
        first = self._first()
        self._part([item for item in todo if item[0].address in first])
        if self.armed:
            self._be_confirmed()
        if not self.stopped:
            self._part([item for item in todo if item[0].address not in first])

    armed = False

    def _first(self) -> "set[str]":
        guarded = {resource.address for resource in self.resources if resource.guard}
        told = {s.address for s in self.services if guarded & self._read_by(s)}
        return closure(guarded | told, self.needs)

    def _read_by(self, service: Service) -> "set[str]":
        return {*service.spec["watch"], *service.spec["reload_watch"]}

    def _part(self, todo: "Todo") -> None:
        # Where packages come from and what they read; then packages, all at once; then the rest.
        early = [r for r, _ in todo if isinstance(r, AptSource) or r.spec.get("early")]
        packages = [r for r, _ in todo if isinstance(r, Package)]
        before = {r.address for r in [*early, *packages]}
        for resource, changes in todo:
            if resource in early:
                self._put(resource, changes)
        self._install(packages)
        for resource, changes in todo:
            if resource.address not in before:
                self._put(resource, changes)

    def _install(self, packages: "list[Package]") -> None:
        able = [package for package in packages if not self._waits(package.address)]
        if not able:
            return
        for resource in self.resources:
            resource.clear()
        self.say(f"packages: {', '.join(package.spec['name'] for package in able)}")
        try:
            failed = Package.apply_many(able, self.say)
        except (AgentError, OSError) as problem:
            failed = {package.address: words(problem) for package in able}
        for package in able:
            if package.address in failed:
                self.fail(package.address, failed[package.address])
            else:
                self.done.append(package.address)

    def _waits(self, address: str) -> bool:
        lacking = self.lacks(address)
        if lacking:
            self.waiting.setdefault(address, lacking)
        return bool(lacking)

    def _put(self, resource: Resource, changes: "list[Change]") -> None:
        if self._waits(resource.address):
            return
        try:
            if resource.guard and not self.armed:
                self._arm()
            self.say(resource.address)
            for service in self.services:
                service.drop_note(resource.address)
            resource.apply(changes)
        except (AgentError, OSError) as problem:
            self.fail(resource.address, words(problem))
        else:
            self.done.append(resource.address)

    def _arm(self) -> None:
        self.say("arming the rollback")
        guarded = [resource for resource in self.resources if resource.guard]
        reads = {resource.address for resource in guarded}
        rollback.arm(
            guarded,
            [service.unit for service in self.services if reads & self._read_by(service)],
            self.token,
            self.confirm_seconds,
        )
        self.armed = True

    def _be_confirmed(self) -> None:
        """Wait until the controller has come back in, or the host has put back what it had."""
        self.armed = False
        rollback.rewind()
        try:
            rollback.wait(self.token, lambda: self.say("", confirm=True))
        except AgentError as problem:
            self.stopped = True
            self.fail("confirmation", str(problem))
