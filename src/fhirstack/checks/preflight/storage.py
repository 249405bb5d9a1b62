"""Disks where they are used: each path by the file system that holds it."""

from collections.abc import Iterable

from fhirstack.checks.preflight.facts import Facts, FileSystem, Seen
from fhirstack.checks.preflight.registry import host_check
from fhirstack.checks.preflight.sizes import compare, show
from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.page.results import Finding, failed, judge, ok, skipped
from fhirstack.page.sizes import enough, machine

CLUSTER = frozenset({Role.PRIMARY, Role.WORKER, Role.ANALYTICS})
"""The analytics node joins the cluster as a worker."""
_ROOT_BYTES = 30 * 10**9
"""Of a root file system that holds nothing of the data: the system, its packages and logs."""


def used_paths(role: Role) -> tuple[str, ...]:
    """Return where a host of a role keeps what fills its disk; none: on the root file system."""
    if role in CLUSTER:
        return ("/var/lib/containerd", "/var/lib/kubelet")
    return ("/var/lib/postgresql",) if role is Role.DATABASE else ()


def holder(facts: Facts, path: str) -> FileSystem | None:
    """Return the file system that holds a path, which need not be there yet."""
    place = facts.paths.get(path, path)
    found = None
    for one in facts.filesystems:
        inside = one.mount == "/" or f"{place}/".startswith(f"{one.mount}/")
        # What was mounted later lies above.
        if inside and (found is None or len(one.mount) >= len(found.mount)):
            found = one
    return found


def own_disk(environment: Environment, facts: Facts) -> int:
    """Return the bytes of all of the host's file systems, each once, without external storage."""
    external = holder(facts, environment.backups.path) if environment.backups else None
    return sum(
        one.total
        for one in _each_once(facts.filesystems)
        if not one.remote and (one.mount == "/" or external is None or not _same(one, external))
    )


def _each_once(filesystems: Iterable[FileSystem]) -> Iterable[FileSystem]:
    """Leave out what is seen again: bind mounts, and the disk below a root of overlays."""
    found: list[FileSystem] = []
    for one in filesystems:
        if not any(_same(one, other) for other in found):
            found.append(one)
    return found


def _same(one: FileSystem, other: FileSystem) -> bool:
    layered = "overlay" in (one.type, other.type)
    return one.total == other.total and (
        one.source == other.source or (layered and one.free == other.free)
    )


@host_check("host.disk.mounts")
def mounts(_: Seen, host: Host, facts: Facts) -> Finding:
    """Judge the page's figure on the file system that holds each path that will be used."""
    figure = machine(host.role).disk
    root = holder(facts, "/")
    if root is None:
        return skipped("the root file system is not seen")
    held = {path: holder(facts, path) or root for path in used_paths(host.role)}
    apart = bool(held) and all(not _same(one, root) for one in held.values())
    needed = {"/": (root, _ROOT_BYTES if apart else figure)}
    needed |= {path: (one, figure) for path, one in held.items()}
    # Paths on one file system are told together.
    small: dict[str, list[str]] = {}
    for path, (one, least) in needed.items():
        if not enough(one.total, least):
            text = f"{one.mount} has {show(one.total)}, not {show(least)}"
            small.setdefault(text, []).extend([path] if path != one.mount else [])
    problems = [
        f"{text} (it holds {' and '.join(paths)})" if paths else text
        for text, paths in small.items()
    ]
    evidence = ", ".join(
        f"{path} {show(one.total)} ({show(one.free)} free)" for path, (one, _) in needed.items()
    )
    disks = ", ".join(f"{name} {show(size)}" for name, size in facts.disks.items())
    return judge(
        problems,
        evidence,
        "enlarge the file system, or mount one of this size at the path"
        + (f" (disks of the host: {disks})" if disks else ""),
    )


@host_check("storage.external", (Role.NFS,))
def external_storage(seen: Seen, host: Host, facts: Facts) -> Finding:
    """Judge the size of what is mounted for backups."""
    backups = seen.environment.backups
    if backups is None:
        return skipped("the site has no `backups`: nothing says where it is")
    found = holder(facts, backups.path)
    needed = machine(Role.NFS).external_storage or 0
    if found is None or found.mount == "/":
        return failed(
            f"nothing is mounted at {backups.path} or above: it lies on the root file system",
            f"attach {show(max(needed, host.external_storage or 0))} and mount it there",
        )
    return compare(
        found.total,
        needed,
        host.external_storage,
        f"attach {{}} and mount it at {found.mount}",
    )


@host_check("backup.path", (Role.NFS,))
def backup_path(seen: Seen, _: Host, facts: Facts) -> Finding:
    """Judge that backups do not lie on the root file system."""
    backups = seen.environment.backups
    if backups is None:
        return skipped("the site has no `backups`")
    found = holder(facts, backups.path)
    if found is None or found.mount == "/":
        return failed(
            f"{backups.path} lies on the root file system",
            f"mount the external storage at {backups.path}, by /etc/fstab",
        )
    return ok(f"{backups.path} lies on {found.mount} ({found.source}, {found.type})")
