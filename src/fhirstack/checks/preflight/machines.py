"""How large each machine is, what it is, and that no two are the same."""

from collections.abc import Mapping

from fhirstack.checks.preflight.facts import Facts, Seen
from fhirstack.checks.preflight.registry import host_check
from fhirstack.checks.preflight.sizes import compare, wanted
from fhirstack.checks.preflight.storage import own_disk
from fhirstack.model.host import Host
from fhirstack.page.results import Finding, failed, judge, ok, skipped
from fhirstack.page.sizes import Machine, machines

_CONTAINERS = frozenset(
    "systemd-nspawn lxc lxc-libvirt openvz docker podman rkt wsl proot pouch".split()  # noqa: SIM905
) | {"container-other"}
"""Of systemd-detect-virt: what shares its kernel."""
_PLAIN: Mapping[str, str] = {"none": "a physical machine"}


def _register(row: Machine) -> None:
    @host_check(f"host.{row.role}.cpu", (row.role,))
    def cores(_: Seen, host: Host, facts: Facts) -> Finding:
        if facts.cores is None:
            return skipped("/proc/cpuinfo does not tell the cores")
        needed = max(row.cpu, host.cpu)
        says = wanted(f"{row.cpu} cores", f"{host.cpu} cores")
        problems = [f"{facts.cores} cores found; {says}"] if facts.cores < needed else []
        return judge(
            problems, f"{facts.cores} cores found; {says}", f"give the machine {needed} cores"
        )

    @host_check(f"host.{row.role}.memory", (row.role,))
    def memory(_: Seen, host: Host, facts: Facts) -> Finding:
        if facts.memory is None:
            return skipped("/proc/meminfo does not tell the memory")
        return compare(facts.memory, row.memory, host.memory, "give the machine {} of memory")

    @host_check(f"host.{row.role}.disk", (row.role,))
    def disk(seen: Seen, host: Host, facts: Facts) -> Finding:
        if not facts.filesystems:
            return skipped("no file system is seen")
        return compare(
            own_disk(seen.environment, facts),
            row.disk,
            host.disk,
            "give the machine {} of disk, in file systems that are mounted at boot",
        )


for _row in machines():
    _register(_row)


@host_check("host.virtual-machine")
def virtual_machine(_: Seen, __: Host, facts: Facts) -> Finding:
    """Judge what the host runs in."""
    kind = facts.virtualisation
    if kind is None:
        return skipped("systemd-detect-virt does not tell")
    text = f"{_PLAIN.get(kind, kind)}, {facts.architecture}"
    if kind in _CONTAINERS:
        return failed(f"{text}: a container", "give a virtual machine in its place")
    return ok(text)


@host_check("host.machine-id")
def machine_id(seen: Seen, host: Host, facts: Facts) -> Finding:
    """Judge that no other host answers with the same machine-id."""
    if not facts.machine_id:
        return failed("/etc/machine-id is empty", "run `systemd-machine-id-setup` on it")
    same = [
        other.name
        for other, theirs in seen.answered
        if other is not host and theirs.machine_id == facts.machine_id
    ]
    if same:
        return failed(
            f"{facts.machine_id} is also the machine-id of {', '.join(same)}",
            "if two names lead to one machine, mend the addresses; on a copy of an image:"
            " `rm /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup`, and restart",
        )
    others = len(seen.answered) - 1
    return ok(f"{facts.machine_id}, unlike those of the {others} others that answered")
