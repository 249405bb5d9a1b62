"""Removes all of a lab: what `down` does, and what begins a run after one that was cut short."""

from contextlib import suppress
from pathlib import Path

from fhirstack_lab import cgroups, image, limits, network
from fhirstack_lab.places import OWNER, PREFIX, State
from fhirstack_lab.run import run, succeeds
from fhirstack_lab.say import LabError
from fhirstack_lab.trees import mounts_below, remove_tree

_NSPAWN = Path("/run/systemd/nspawn")


def leftovers(state: State) -> list[str]:
    """Return what exists of a lab, in words."""
    found = [f"namespace {name}" for name in network.namespaces()]
    found += [f"cgroup {top / PREFIX}" for top in cgroups.hierarchies() if (top / PREFIX).exists()]
    found += [f"mount {path}" for path in mounts_below(state.path)]
    found += [f"loop device {device}" for device in _loops(state)]
    found += [str(path) for path in (OWNER, state.marker) if path.exists()]
    return found


def clean(state: State) -> None:
    """End all processes of the lab and remove everything but the cache. Raises LabError."""
    names = _host_names(state)
    cgroups.end()
    for mount in reversed(mounts_below(state.path)):
        run(["umount", mount])
    for device in _loops(state):
        succeeds(["losetup", "--detach", device])
    for name in network.namespaces():
        network.remove_namespace(name)
    if network.NAMESPACES.exists() and not any(network.NAMESPACES.iterdir()):
        # `ip netns` made it, and mounted it on itself.
        succeeds(["umount", network.NAMESPACES])
        network.NAMESPACES.rmdir()
    cgroups.remove()
    for name in names:
        for directory in (_NSPAWN / "propagate" / name, _NSPAWN / "unix-export" / name):
            with suppress(OSError):
                directory.rmdir()
    image.remove_parts()
    if state.marker.exists():
        remove_tree(state.path)
    elif state.path.exists() and any(state.path.iterdir()):
        raise LabError(
            f"{state.path} is not a state directory of the lab: it is left as it is",
            "name the lab's with FHIRSTACK_LAB",
        )
    limits.restore_limit()
    OWNER.unlink(missing_ok=True)


def _host_names(state: State) -> list[str]:
    hosts = state.path / "hosts"
    return [path.name for path in hosts.iterdir()] if hosts.exists() else []


def _loops(state: State) -> list[str]:
    """Return loop devices whose file lies below the state directory."""
    found = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            backing = file.read_text().strip().removesuffix(" (deleted)")
            if Path(backing).is_relative_to(state.path):
                found.append(f"/dev/{file.parent.parent.name}")
    return found
