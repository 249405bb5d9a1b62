"""The whole lab: makes it, tells how it is, and removes it."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fhirstack_lab import cgroups, keys, limits, machine, network
from fhirstack_lab.clean import clean, leftovers
from fhirstack_lab.image import make_image
from fhirstack_lab.packages import install_tools
from fhirstack_lab.places import CODE, SITE, State, owner
from fhirstack_lab.roles import ACME, GRAYLOG
from fhirstack_lab.run import run, write
from fhirstack_lab.say import LabError, say
from fhirstack_lab.seed import write_seed
from fhirstack_lab.site import host_lines, scalar, site_of_run, with_extra_workers
from fhirstack_lab.topology import ROUTER, Host, lab_hosts

_AT_ONCE = 8
_PERSON = "ann"
"""An administrator whom the site gives an account of her own."""


@dataclass(frozen=True)
class Lab:
    """A lab: its state directory, the site it is made from, and its hosts."""

    state: State
    site: str
    hosts: list[Host]

    def host(self, name: str) -> Host:
        """Return the host of a name, or of its last part: worker-1. Raises LabError."""
        for host in self.hosts:
            if name in (host.name, host.name.partition("-")[2]):
                return host
        names = " ".join(host.name for host in self.hosts)
        raise LabError(f"the lab has no host {name}", f"it has {names}")


def described(state: State, count: int | None = None) -> Lab:
    """Return the lab as it is described: by its own site where it exists, else by the file."""
    own = state.path / "site.yaml"
    site = own.read_text() if count is None and own.exists() else SITE.read_text()
    if count is not None:
        site = with_extra_workers(site, count)
    return Lab(state, site, lab_hosts(host_lines(site), scalar(site, "public_address")))


def up(state: State, count: int | None, only: list[str] | None = None) -> Lab:
    """Make all run, or of the site's hosts only those named; what runs already stays as it is.

    Raises LabError.
    """
    install_tools()
    there = owner()
    if there and there != state:
        raise LabError(
            f"another lab is up; its state is in {there.path}",
            f"FHIRSTACK_LAB={there.path} lab/down removes it; there is one on a machine",
        )
    if there and state.complete.exists():
        return _continue(described(state), count, only)
    if leftovers(state):
        say("clearing what an earlier run left")
        clean(state)
    lab = described(state, count)
    state.prepare()
    limits.raise_limit(state)
    cgroups.join("build")
    image = make_image()
    authorized = keys.make_key(state.identity, "the lab's administrator")
    certificates = {
        name: keys.make_certificate(state.path / file, name)
        for name, file in ((GRAYLOG, "monitoring.pem"), (ACME, "acme.pem"))
    }
    network.make_router(state.path)
    chosen = _chosen(lab, only)
    say(f"starting {len(chosen)} hosts")

    def make(host: Host) -> tuple[str, str]:
        public = write_seed(host, state.host(host.name) / "seed", image, authorized, certificates)
        machine.lay_out(host, state, image)
        if host in chosen:
            machine.power_on(host, state)
        return host.name, public

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        public = dict(pool.map(make, lab.hosts))
    _write_files(lab, public)
    _new_hosts(lab, chosen)
    state.complete.write_text(f"{len(lab.hosts)}\n")
    return described(state)


def _chosen(lab: Lab, only: list[str] | None) -> list[Host]:
    """Return the hosts to switch on: the lab's own, and of the site's all or those named."""
    if only is None:
        return lab.hosts
    named = [lab.host(name) for name in only]
    return [host for host in lab.hosts if host.kind != "site" or host in named]


def _continue(lab: Lab, count: int | None, only: list[str] | None) -> Lab:
    """Start the hosts that do not run."""
    sites = sum(host.kind == "site" for host in lab.hosts)
    if count is not None and count != sites:
        raise LabError(f"a lab of {sites} hosts is up, not of {count}", "run lab/down first")
    chosen = _chosen(lab, only)
    stopped = [host for host in chosen if not machine.running(host.name)]
    for host in stopped:
        say(f"starting {host.name}")
        machine.power_cut(host.name, lab.state)
        machine.power_on(host, lab.state)
    for name, word in _wait(lab, chosen).items():
        if word != "running":
            say(f"{name} is {word}: see lab/shell {name} systemctl --failed")
    say(f"all {len(chosen)} hosts are up" + ("" if stopped else ": nothing to do"))
    return lab


def _write_files(lab: Lab, public: dict[str, str]) -> None:
    """Write what programs outside of the lab read."""
    state = lab.state
    prints = {name: keys.fingerprint(line) for name, line in public.items()}
    by_address = {host.address: prints[host.name] for host in lab.hosts if host.kind != "site"}
    write(state.path / "known_hosts", keys.known_hosts(public, lab.hosts))
    write(state.path / "ssh_config", keys.ssh_config(state, lab.hosts))
    write(state.path / "fingerprints.json", json.dumps(prints, indent=2) + "\n")
    people = {_PERSON: keys.make_key(state.path / f"{_PERSON}_ed25519", f"{_PERSON}@laptop")}
    site = site_of_run(lab.site, str(state.path), prints | by_address, people)
    write(state.path / "site.yaml", site)


def _wait(lab: Lab, hosts: list[Host]) -> dict[str, str]:
    """Wait until hosts have started; return systemd's word for each. Raises LabError."""

    def wait(host: Host) -> tuple[str, str]:
        return host.name, machine.wait_until_ready(host.name, lab.state)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(pool.map(wait, hosts))


def _new_hosts(lab: Lab, hosts: list[Host]) -> None:
    """Wait until the hosts have started well and all their ports answer. Raises LabError."""
    bad = [f"{name} is {word}" for name, word in _wait(lab, hosts).items() if word != "running"]
    if bad:
        raise LabError(
            f"not every host started well: {', '.join(bad)}",
            "see the console.log below " + str(lab.state.path / "hosts"),
        )
    addresses = [f"{host.address}:{port}" for host in hosts for port in host.ports]
    _wait_for_ports(ROUTER, addresses)


def _wait_for_ports(namespace: str, addresses: list[str]) -> None:
    """Wait, seen from a namespace, until TCP ports answer. Raises LabError."""
    space = f"--net={network.NAMESPACES / namespace}"
    run(
        ["nsenter", space, "/usr/bin/python3", CODE / "ports.py", *addresses],
        remedy="see `lab/shell HOST journalctl`",
    )


def start(lab: Lab, host: Host) -> None:
    """Start a host that is off and wait until it is up."""
    if machine.running(host.name):
        say(f"{host.name} runs already")
        return
    machine.power_cut(host.name, lab.state)
    machine.power_on(host, lab.state)
    _wait_for_one(lab, host)


def reboot(lab: Lab, host: Host) -> None:
    """Reboot a host in good order and wait until it is up again."""
    first = machine.running(host.name)
    if not first:
        raise LabError(f"{host.name} does not run", f"lab/start {host.name} starts it")
    machine.succeeds_inside(first, ["systemctl", "reboot"])
    machine.wait_until_ready(host.name, lab.state, other_than=first)
    _wait_for_one(lab, host)


def _wait_for_one(lab: Lab, host: Host) -> None:
    """Wait until a host has started and greets; a firewall of its own may shut out all others."""
    word = _wait(lab, [host])[host.name]
    _wait_for_ports(host.namespace, [f"{host.address}:22"])
    failed = "" if word == "running" else f", {word}: see lab/shell {host.name} systemctl --failed"
    say(f"{host.name} is up{failed}")
