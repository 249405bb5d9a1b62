"""One host's life: its disk, its start, whether it is ready, its end."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from fhirstack_lab import cgroups, network
from fhirstack_lab.image import Image
from fhirstack_lab.places import CODE, State
from fhirstack_lab.run import run, succeeds, write
from fhirstack_lab.say import LabError
from fhirstack_lab.topology import ROUTER, Host

_LIMIT = 90.0
_CAPABILITIES = "CAP_NET_ADMIN,CAP_IPC_LOCK,CAP_BPF,CAP_PERFMON,CAP_BLOCK_SUSPEND"
_CALLS = "add_key keyctl bpf @keyring perf_event_open open_by_handle_at"
"""Ganesha opens files by their handles."""
_INODES = 2_000_000
_KUBERNETES = ("containerd", "kubelet", "etcd")
"""Directories of /var/lib that lie on the disk itself: an overlay cannot lie on an overlay."""


def make_disk(path: Path, size: int) -> None:
    """Make an image of so many bytes that takes next to nothing of the real disk."""
    if path.exists():
        return
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    run(["truncate", "--size", str(size), part])
    lazy = "nodiscard,lazy_itable_init=1,lazy_journal_init=1"
    run(["mkfs.ext4", "-q", "-E", lazy, "-J", "size=16", "-N", str(_INODES), part])
    part.rename(path)


def lay_out(host: Host, state: State, image: Image) -> None:
    """Write everything that the host's keeper needs, but for the seed."""
    directory = state.host(host.name)
    for name in ("disk", "root", "external"):
        (directory / name).mkdir(exist_ok=True)
    make_disk(directory / "disk.img", host.disk)
    if host.external_storage:
        make_disk(directory / "external.img", host.external_storage)
    layers = [image.services] if host.kind == "internet" else []
    lower = ":".join(map(str, [directory / "seed", *layers, image.base]))
    write(directory / "lower", lower + "\n")
    network.write_commands(host, directory)
    write(directory / "arguments", "\n".join(_arguments(host, directory, image)) + "\n")


def _arguments(host: Host, directory: Path, image: Image) -> list[str]:
    words = [
        "--quiet",
        "--register=no",
        "--keep-unit",
        f"--machine={host.name}",
        f"--directory={directory / 'root'}",
        f"--network-namespace-path={network.NAMESPACES / host.namespace}",
        f"--capability={_CAPABILITIES}",
        f"--system-call-filter={_CALLS}",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--console=pipe",
    ]
    if host.external_storage:
        words.append(f"--bind={directory / 'external'}:/srv/backups")
    if host.kind == "internet":
        words.append(f"--bind-ro={image.mirror}:/srv/mirror")
    if host.kind == "site":
        for name in _KUBERNETES:
            words.append(f"--bind={directory / 'disk' / name}:/var/lib/{name}")
    return [*words, "/usr/lib/fhirstack-lab/init"]


def power_on(host: Host, state: State) -> None:
    """Start the host's keeper, which outlives this program."""
    directory = state.host(host.name)
    groups = cgroups.make(host.name)
    write(directory / "cgroups", "\n".join(map(str, groups)) + "\n")
    with (directory / "console.log").open("ab") as log:
        keeper = subprocess.Popen(
            ["sh", CODE / "keeper.sh", directory, host.namespace, ROUTER],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    write(directory / "keeper.pid", f"{keeper.pid}\n")
    limit = time.monotonic() + _LIMIT
    while keeper.pid not in cgroups.processes(host.name):
        if keeper.poll() is not None or time.monotonic() > limit:
            raise LabError(f"the keeper of {host.name} ended", f"see {directory / 'console.log'}")
        time.sleep(0.01)
    # It is the lab's from now on, not of this program.
    keeper.returncode = 0


def power_cut(name: str, state: State) -> None:
    """Kill a host's processes, by id, as if its power failed."""
    cgroups.end(name)
    links = state.host(name) / "links"
    network.unwire(name, links.read_text().split() if links.exists() else [])


def inside(first: int, words: Sequence[str]) -> list[str]:
    """Return the command that runs another one as root in the host of this first process."""
    enter = ["nsenter", "--target", str(first), "--wdns=/root"]
    enter += ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
    clean = ["env", "-i", "HOME=/root", "USER=root", "LANG=C.UTF-8"]
    clean.append(f"TERM={os.environ.get('TERM', 'dumb')}")
    clean.append("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    return [*enter, "--", *clean, *words]


def running(name: str) -> int | None:
    """Return the id of a host's first process, or None where it does not run."""
    return cgroups.first_process(name)


def _ask(first: int, limit: float, *options: str) -> str:
    """Return systemd's word for how a host is; nothing where it does not answer in time."""
    try:
        asked = subprocess.run(
            inside(first, ["systemctl", "is-system-running", *options]),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return ""
    return asked.stdout.strip()


def wait_until_ready(name: str, state: State, *, other_than: int | None = None) -> str:
    """Wait until systemd says that the host has started; return its word. Raises LabError.

    `other_than` is the first process of the boot before.
    """
    limit = time.monotonic() + _LIMIT
    word = "not started"
    while time.monotonic() < limit:
        first = running(name)
        if first and first != other_than:
            word = _ask(first, limit - time.monotonic(), "--wait") or "not started"
            if word in ("running", "degraded", "maintenance"):
                return word
        elif not cgroups.processes(name):
            break
        time.sleep(0.05)
    log = state.host(name) / "console.log"
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
    raise LabError(f"the host {name} does not start ({word}):\n{tail}", f"see {log}")


def succeeds_inside(first: int, words: Sequence[str]) -> bool:
    """Run a command in a host and tell whether it ended with 0."""
    return succeeds(inside(first, words))


def status(host: Host, state: State) -> dict[str, object]:
    """Return how a host is: its state in systemd's words, or `off`."""
    first = running(host.name)
    word = "off"
    if first:
        word = _ask(first, _LIMIT) or "starting"
    images = state.host(host.name).glob("*.img")
    return {
        "name": host.name,
        "kind": host.kind,
        "address": host.address,
        "namespace": host.namespace,
        "state": word,
        "pid": first,
        "memory_mib": cgroups.memory(host.name) // 2**20,
        "disk_mib": sum(image.stat().st_blocks for image in images) * 512 // 2**20,
    }
