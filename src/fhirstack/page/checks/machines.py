"""The page's table of machines: how many, how large, which system."""

from collections import Counter
from collections.abc import Callable
from operator import ge

from fhirstack.model.host import LATEST_UBUNTU_LTS, Host, Role
from fhirstack.model.site import Environment, Site
from fhirstack.model.types import format_size
from fhirstack.page.checks.registry import check
from fhirstack.page.results import Finding, failed, judge, ok
from fhirstack.page.sizes import Machine, accepted_releases, enough, machines, totals


def _count(row: Machine) -> None:
    @check(f"host.{row.role}.count")
    def count(_: Site, environment: Environment) -> Finding:
        found = len(environment.hosts_of(row.role))
        problems = [f"{found}, at least {row.count} are needed"] if found < row.count else []
        return judge(problems, f"{found}")


def _value(
    row: Machine,
    name: str,
    least: int,
    read: Callable[[Host], int],
    show: Callable[[int], str],
    *,
    serves: Callable[[int, int], bool] = enough,
) -> None:
    @check(f"host.{row.role}.{name}")
    def at_least(_: Site, environment: Environment) -> Finding:
        hosts = environment.hosts_of(row.role)
        if not hosts:
            return failed(f"no host has the role {row.role}")
        small = [
            f"{host.name}: {show(read(host))}" for host in hosts if not serves(read(host), least)
        ]
        if not small:
            return ok(f"declared: {show(min(read(host) for host in hosts))} or more")
        return failed(f"{', '.join(small)}; at least {show(least)} are needed")


for _row in machines():
    _count(_row)
    _value(_row, "cpu", _row.cpu, lambda host: host.cpu, lambda cores: f"{cores} cores", serves=ge)
    _value(_row, "memory", _row.memory, lambda host: host.memory, format_size)
    _value(_row, "disk", _row.disk, lambda host: host.disk, format_size)


@check("host.total")
def total(_: Site, environment: Environment) -> Finding:
    """Check that there are at least as many machines as the page's table has."""
    found, needed = len(environment.hosts), totals().machines
    problems = [f"{found}, at least {needed} are needed"] if found < needed else []
    return judge(problems, f"{found}")


@check("host.os.ubuntu")
def ubuntu(_: Site, environment: Environment) -> Finding:
    """Check that every host runs Ubuntu with long-term support."""
    accepted = accepted_releases()
    problems = [
        f"{host.name} has {_system(host)}, not Ubuntu {' or '.join(accepted)}"
        for host in environment.hosts
        if host.os.name != "ubuntu" or host.os.version not in accepted
    ]
    return judge(problems, _systems(environment))


@check("host.os.latest")
def latest(_: Site, environment: Environment) -> Finding:
    """Check that every host runs the newest release with long-term support."""
    problems = [
        f"{host.name} has {_system(host)}, the latest LTS is {LATEST_UBUNTU_LTS}"
        for host in environment.hosts
        if host.os.version != LATEST_UBUNTU_LTS
    ]
    return judge(problems, _systems(environment))


@check("host.one-release")
def one_release(_: Site, environment: Environment) -> Finding:
    """Check that all hosts run the same release."""
    releases = {_system(host) for host in environment.hosts}
    problems = [f"{len(releases)} releases: {_systems(environment)}"] if len(releases) > 1 else []
    return judge(problems, _systems(environment))


@check("host.quorum")
def quorum(_: Site, environment: Environment) -> Finding:
    """Check that the primary nodes are an odd number."""
    count = len(environment.hosts_of(Role.PRIMARY))
    problems = [f"{count} primary nodes: an even number"] if count % 2 == 0 else []
    return judge(problems, f"{count} primary nodes, {(count - 1) // 2} may fail")


def _system(host: Host) -> str:
    return f"{host.os.name} {host.os.version}"


def _systems(environment: Environment) -> str:
    counted = Counter(_system(host) for host in environment.hosts)
    return "declared: " + ", ".join(f"{count} of {system}" for system, count in counted.items())
