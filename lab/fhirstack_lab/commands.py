"""The commands of the lab: arguments, exit codes, and what they print.

Exit codes: 0 well; 1 a host is not as it must be; 2 wrong usage; 3 it could not be made;
130 interrupted.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable

from fhirstack_lab import lab as labs
from fhirstack_lab import machine
from fhirstack_lab.clean import clean, leftovers
from fhirstack_lab.places import PREFIX, State, owner, state_of_environment
from fhirstack_lab.say import LabError, say
from fhirstack_lab.topology import Host


def main(command: Callable[[list[str]], int]) -> int:
    """Run a command; turn errors into a message and an exit code."""
    try:
        if os.geteuid() != 0:
            raise LabError("the lab needs root: it makes namespaces and mounts", "use sudo")
        return command(sys.argv[1:])
    except KeyboardInterrupt:
        print("\nlab: interrupted; lab/up or lab/down clears what is there", file=sys.stderr)
        return 130
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
    except OSError as error:
        print(f"lab: {error.strerror}: {error.filename}", file=sys.stderr)
    return 3


def alone() -> socket.socket:
    """Hold what one command at a time may hold; it is free when the program ends, however."""
    held = socket.socket(socket.AF_UNIX)
    try:
        held.bind(f"\0fhirstack-lab-{PREFIX}")
    except OSError as error:
        held.close()
        raise LabError("another lab command is running", "wait until it ends") from error
    return held


def up(words: list[str]) -> int:
    """Make all run."""
    parser = argparse.ArgumentParser(prog="lab/up", description="Makes the lab's hosts run.")
    parser.add_argument("--hosts", type=int, help="hosts of the site; more than 11 are workers")
    parser.add_argument(
        "--start",
        metavar="HOST,…",
        help="switch on these of the site alone; `lab/start HOST` adds one",
    )
    arguments = parser.parse_args(words)
    only = arguments.start.split(",") if arguments.start else None
    with alone():
        lab = labs.up(state_of_environment(), arguments.hosts, only)
    say(f"{sum(bool(machine.running(host.name)) for host in lab.hosts)} hosts run. Next:")
    site = lab.state.path / "site.yaml"
    print(
        f"\n  lab/status\n  ssh -F {lab.state.path / 'ssh_config'} production-worker-1\n"
        f"  ./fhirstack preflight -f {site} -e production\n  lab/down"
    )
    return 0


def down(words: list[str]) -> int:
    """Remove all."""
    argparse.ArgumentParser(prog="lab/down", description="Removes the lab.").parse_args(words)
    with alone():
        state = state_of_environment()
        there = owner()
        if there and there != state:
            raise LabError(
                f"the lab that is up has its state in {there.path}",
                f"run FHIRSTACK_LAB={there.path} lab/down",
            )
        if not leftovers(state):
            say("there is no lab")
            return 0
        clean(state)
    say("the lab is gone; what it shares stays in the cache")
    return 0


def status(words: list[str]) -> int:
    """Print how the hosts are; 1 where one is not running well."""
    parser = argparse.ArgumentParser(prog="lab/status", description="Shows the lab's hosts.")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    arguments = parser.parse_args(words)
    lab = existing()
    rows = [machine.status(host, lab.state) for host in lab.hosts]
    if arguments.format == "json":
        print(json.dumps({"state": str(lab.state.path), "hosts": rows}, indent=2))
    else:
        print(f"{'host':<24} {'address':<16} {'state':<12} {'pid':>7} {'MiB':>6} {'disk MiB':>9}")
        for row in rows:
            print(
                f"{row['name']:<24} {row['address']:<16} {row['state']:<12} {row['pid'] or '-':>7} "
                f"{row['memory_mib']:>6} {row['disk_mib']:>9}"
            )
    return int(any(row["state"] != "running" for row in rows))


def shell(words: list[str]) -> int:
    """Become a shell or a command in a host, as root."""
    if not words or words[0] in ("-h", "--help"):
        print("usage: lab/shell HOST [COMMAND…]", file=sys.stderr)
        return 2 if not words else 0
    host = existing().host(words[0])
    first = machine.running(host.name)
    if not first:
        raise LabError(f"{host.name} does not run", f"lab/start {host.name} starts it")
    command = machine.inside(first, words[1:] or ["bash", "--login"])
    return subprocess.run(command, check=False).returncode


def of_host(name: str, act: Callable[[labs.Lab, Host], None]) -> Callable[[list[str]], int]:
    """Return a command that does something to one host."""

    def command(words: list[str]) -> int:
        parser = argparse.ArgumentParser(prog=f"lab/{name}", description=act.__doc__)
        parser.add_argument("host")
        lab = existing()
        host = lab.host(parser.parse_args(words).host)
        act(lab, host)
        return 0

    return command


def _cut(lab: labs.Lab, host: Host) -> None:
    """Cut a host's power: kill its processes."""
    machine.power_cut(host.name, lab.state)
    say(f"{host.name} is off; lab/start {host.name} starts it")


def existing() -> labs.Lab:
    """Return the lab that is up. Raises LabError."""
    state: State = state_of_environment()
    if owner() != state or not state.complete.exists():
        raise LabError(f"no lab is up with its state in {state.path}", "lab/up makes one")
    return labs.described(state)


reboot = of_host("reboot", labs.reboot)
start = of_host("start", labs.start)
kill = of_host("kill", _cut)
