"""Removes directory trees, and never what is mounted in them."""

from pathlib import Path

from fhirstack_lab.run import run


def mounts_below(path: Path) -> list[str]:
    """Return the mounts of this mount namespace at or below a path, outer ones first."""
    found = [line.split(" ")[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [mount for mount in found if Path(mount).is_relative_to(path)]


def remove_tree(path: Path) -> None:
    """Unmount what is mounted below a directory, then remove it. Raises LabError."""
    for mount in reversed(mounts_below(path)):
        run(["umount", mount])
    run(["rm", "--recursive", "--force", "--one-file-system", path])
