"""Looking at the hosts: keys, one call of the agent to all at once, clocks, the link."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import ValidationError

from fhirstack.checks.preflight import measure
from fhirstack.checks.preflight.facts import Clock, Facts, Seen, Unreached
from fhirstack.checks.preflight.request import request
from fhirstack.errors import FhirstackError, UnreachableError
from fhirstack.model.host import Host, Role
from fhirstack.planes.hosts import provided, trust
from fhirstack.planes.hosts.calls import Answer, Doing, call_all
from fhirstack.planes.hosts.provided import Look
from fhirstack.planes.hosts.ssh import Connections, entrance, ssh

T = TypeVar("T")


def gather(connections: Connections, hosts: tuple[Host, ...], doing: Doing | None = None) -> Seen:
    """Look at hosts. What cannot be reached is noted with its reason, and the others are seen."""
    environment = connections.environment
    chosen = {host.name: host for host in hosts}
    unreached = _reach(connections, list(chosen))
    reached = {name: host for name, host in chosen.items() if name not in unreached}
    requests = {name: request(environment, host) for name, host in reached.items()}
    facts: dict[str, Facts] = {}
    for name, found in _ask(connections, requests, doing).items():
        if isinstance(found, Unreached):
            unreached[name] = found
        else:
            facts[name] = found
    clocks = _each(facts, lambda name: measure.clock(connections, name))
    for name, clock in clocks.items():
        if isinstance(clock, Clock):
            facts[name] = facts[name].model_copy(update={"clock": clock})
    entries = [name for name in facts if chosen[name].role is Role.LOAD_BALANCER]
    facts |= {name: _with_link(connections, name, facts[name]) for name in entries}
    return Seen(environment, hosts, facts, unreached, _certificates(connections))


def _reach(connections: Connections, names: list[str]) -> dict[str, Unreached]:
    """Make keys known and connect; return why hosts are not reached."""
    try:
        trust.ensure(connections, entrance(connections.environment))
        connections.open()
    except UnreachableError as error:
        return {name: _unreached(name, error) for name in names}
    unreached = {}
    for name in names:
        try:
            # One after the other: each that is new is written to the file of known keys.
            trust.ensure(connections, [name])
        except UnreachableError as error:
            unreached[name] = _unreached(name, error)
    rest = [name for name in names if name not in unreached]
    for name, found in _each(rest, lambda name: ssh(connections, name)).items():
        if isinstance(found, FhirstackError):
            unreached[name] = _unreached(name, found)
    return unreached


def _ask(
    connections: Connections, requests: Mapping[str, dict[str, object]], doing: Doing | None
) -> dict[str, Facts | Unreached]:
    """Call the agents; where sudo is refused, again without it: much can be seen all the same."""
    answers = call_all(connections, requests, doing)
    refused = {
        name: error.what
        for name, error in answers.items()
        if isinstance(error, FhirstackError) and "sudo" in error.what
    }
    if refused:
        again = {name: requests[name] for name in refused}
        answers |= call_all(connections, again, doing, root=())
    return {name: _read(answer, refused.get(name)) for name, answer in answers.items()}


def _read(answer: Answer | FhirstackError, sudo: str | None) -> Facts | Unreached:
    if isinstance(answer, FhirstackError):
        return Unreached("agent", answer.what, answer.remedy)
    if "error" in answer:
        return Unreached("agent", str(answer["error"]), "mend it on the host, and look again")
    try:
        return Facts.model_validate({**answer, "sudo": sudo})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return Unreached("agent", f"its answer cannot be read: {place}: {first['msg']}", "")


def _with_link(connections: Connections, name: str, facts: Facts) -> Facts:
    try:
        return facts.model_copy(update={"link": measure.link(connections, name)})
    except (UnreachableError, OSError) as error:
        return facts.model_copy(update={"link_error": str(error)})


def _certificates(connections: Connections) -> Look | None:
    if connections.environment.tls.issuer != "provided":
        return None
    directory = connections.site.resolve().parent
    try:
        return provided.look(directory, connections.environment, datetime.now(UTC))
    except UnreachableError as error:
        # The hosts were looked at: that is told all the same.
        place = provided.directory_of(directory, connections.environment)
        return Look(str(place), (), (str(error),))


def _each(names: Iterable[str], look: Callable[[str], T]) -> dict[str, T | FhirstackError]:
    """Look at all at once; return what each gave or raised."""

    def one(name: str) -> T | FhirstackError:
        try:
            return look(name)
        except FhirstackError as error:
            return error
        except OSError as error:
            return UnreachableError(str(error), where=name)

    chosen = list(names)
    with ThreadPoolExecutor(max_workers=max(len(chosen), 1)) as pool:
        return dict(zip(chosen, pool.map(one, chosen), strict=True))


def _unreached(name: str, error: FhirstackError) -> Unreached:
    unknown = "key is not known" in error.what or "on the way is not known" in error.what
    reason = f"{error.where}: {error.what}" if error.where else error.what
    if error.where == name or error.where.startswith(f"{name} ("):
        # Its own name stands before it wherever it is shown.
        reason = f"{error.what} {error.where[len(name) :].strip()}".strip()
    return Unreached("key" if unknown else "ssh", reason, error.remedy)
