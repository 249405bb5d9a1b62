"""The system on each host: release, kernel, modules, swap."""

import re

from fhirstack.checks.preflight.facts import Facts, Seen
from fhirstack.checks.preflight.registry import environment_check, host_check
from fhirstack.checks.preflight.storage import CLUSTER
from fhirstack.model.host import LATEST_UBUNTU_LTS, Host, Role
from fhirstack.model.site import Environment
from fhirstack.page.results import Finding, failed, judge, ok, skipped
from fhirstack.page.sizes import accepted_releases

_LEAST_KERNEL = (5, 10)
"""Cilium's "System Requirements"."""
_FIREWALL = ("nf_tables",)
_CONTAINERS = ("overlay", "br_netfilter", "nf_conntrack", "vxlan")


def modules(environment: Environment, role: Role) -> tuple[str, ...]:
    """Return the modules of the kernel that a host of a role needs."""
    if role in CLUSTER:
        return _FIREWALL + _CONTAINERS
    if role is Role.NFS and environment.storage.server == "kernel":
        return (*_FIREWALL, "nfsd")
    return _FIREWALL


def _system(facts: Facts) -> str:
    return facts.os.name or f"{facts.os.id} {facts.os.version}"


@host_check("host.os.ubuntu")
def ubuntu(_: Seen, host: Host, facts: Facts) -> Finding:
    """Judge the distribution and release: one of the page's, and the one that is declared."""
    if not facts.os.id:
        return skipped("/etc/os-release does not tell")
    accepted = accepted_releases()
    problems = []
    if facts.os.id != "ubuntu" or facts.os.version not in accepted:
        problems.append(f"{_system(facts)} found, not Ubuntu {' or '.join(accepted)}")
    if (facts.os.id, facts.os.version) != (host.os.name, host.os.version):
        problems.append(
            f"{_system(facts)} found, the site declares {host.os.name} {host.os.version}"
        )
    return judge(
        problems,
        f"{_system(facts)} found",
        f"install Ubuntu {LATEST_UBUNTU_LTS}, and write in the site what is there",
    )


@host_check("host.os.latest")
def latest(_: Seen, __: Host, facts: Facts) -> Finding:
    """Judge that the release is the newest with long-term support."""
    if not facts.os.id:
        return skipped("/etc/os-release does not tell")
    if (facts.os.id, facts.os.version) == ("ubuntu", LATEST_UBUNTU_LTS):
        return ok(f"{_system(facts)} found")
    return failed(
        f"{_system(facts)} found, the latest LTS is Ubuntu {LATEST_UBUNTU_LTS}",
        f"install Ubuntu {LATEST_UBUNTU_LTS}",
    )


@environment_check("host.one-release")
def one_release(seen: Seen) -> Finding | None:
    """Judge that all hosts that answered run the same release."""
    found: dict[str, list[str]] = {}
    for host, facts in seen.answered:
        found.setdefault(_system(facts), []).append(host.name)
    if len(seen.answered) < 2:
        return skipped("fewer than two hosts answered")
    text = "; ".join(f"{name}: {', '.join(hosts)}" for name, hosts in found.items())
    problems = [f"{len(found)} releases: {text}"] if len(found) > 1 else []
    return judge(
        problems,
        f"{len(seen.answered)} hosts of {next(iter(found))}",
        "install the same release on all hosts",
    )


@host_check("host.kernel.release")
def kernel(_: Seen, __: Host, facts: Facts) -> Finding:
    """Judge the kernel's release."""
    found = re.match(r"(\d+)\.(\d+)", facts.kernel)
    if not found:
        return skipped(f"the release {facts.kernel} cannot be read")
    least = ".".join(str(part) for part in _LEAST_KERNEL)
    if (int(found[1]), int(found[2])) < _LEAST_KERNEL:
        return failed(
            f"Linux {facts.kernel} found, at least {least} is needed",
            "install the distribution's own kernel: `apt-get install linux-image-generic`",
        )
    return ok(f"Linux {facts.kernel} found")


@host_check("host.kernel.modules")
def kernel_modules(seen: Seen, host: Host, facts: Facts) -> Finding:
    """Judge that the kernel has what the host's role needs."""
    needed = modules(seen.environment, host.role)
    missing = [name for name in needed if facts.modules.get(name) is False]
    unknown = [name for name in needed if facts.modules.get(name) is None]
    if missing:
        return failed(
            f"the kernel {facts.kernel} does not have {', '.join(missing)}",
            "install the distribution's own kernel with all of its modules:"
            " `apt-get install linux-image-generic linux-modules-extra-$(uname -r)`",
        )
    if unknown:
        return skipped(
            f"cannot be told for {', '.join(unknown)}:"
            f" not loaded, and there is no list in /lib/modules/{facts.kernel}"
        )
    return ok(f"{', '.join(needed)} in {facts.kernel}")


@host_check("host.swap", CLUSTER)
def swap(_: Seen, __: Host, facts: Facts) -> Finding:
    """Judge that there is no swap."""
    if facts.swap:
        return failed(
            f"in use as swap: {', '.join(facts.swap)}",
            "nothing: the platform turns it off, so do not count it as memory",
        )
    return ok("no swap")
