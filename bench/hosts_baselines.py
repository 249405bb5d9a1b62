"""The same desired state by Ansible, by Ansible with Mitogen, and by pyinfra."""

import json
import os
import re
import shlex
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.hosts_convert import Desired, written
from bench.hosts_cpu import Measured, measured
from fhirstack.bundle.cache import once
from fhirstack.bundle.environments import python_environment
from fhirstack.model.host import Role
from fhirstack.planes.hosts.ssh import Connections

PLACE = Path(__file__).parent / "baselines"
NAMES = ("pyinfra", "mitogen", "ansible")
LIMIT_SECONDS = 3600
FORKS = 20
_CHANGED = re.compile(r"^changed: \[(\S+?)\](?: => \(item=(.*)\))?", re.MULTILINE)
_RECAP = re.compile(
    r"^(\S+)\s+: ok=\d+\s+changed=\d+\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE
)


class BaselineError(Exception):
    """A baseline did not do its work; the text tells why."""


@dataclass
class Baselines:
    """The tools of other people, made ready for one desired state in a private directory."""

    connections: Connections
    desired: Desired
    directory: Path
    given: dict[str, Any] = field(init=False)
    """How many resources of which kinds, and what was left out for which tool."""

    def __post_init__(self) -> None:
        place, make = python_environment("hosts-baselines", PLACE / "hosts.txt", build=Path())
        self.python = once(place().name, make)
        known = self.connections.targets
        addresses = {name: str(known[name].address) for name in self.desired}
        user = self.connections.environment.access.user
        self.given = written(self.desired, addresses, user, self.directory)
        self._write_paramiko_config()

    def _write_paramiko_config(self) -> None:
        """Let pyinfra come in by the same way, through the shared connection.

        It uses paramiko, and its own jumps through a jump fail (its issues 1223 and 1963): so
        OpenSSH goes to the load balancer, for each host, and paramiko goes on from there.
        """
        access = self.connections.environment.access
        (entry,) = self.connections.environment.hosts_of(Role.LOAD_BALANCER)
        jump = ["ssh", "-F", str(self.connections.configuration)]
        lines = ["Host *", f"  User {access.user}", "  StrictHostKeyChecking no"]
        lines.append(f"  UserKnownHostsFile {self.directory}/known_hosts")
        if access.identity:
            identity = self.connections.site.resolve().parent / Path(access.identity).expanduser()
            lines.append(f"  IdentityFile {identity}")
        (self.directory / "known_hosts").touch()
        for name in self.desired:
            target = self.connections.targets[name]
            through = target.through if name == entry.name else entry.name
            way = str(self.connections.targets[str(through)].address)
            proxy = shlex.join([*jump, "-W", f"{target.address}:22", way])
            lines += [f"Host {name}", f"  HostName {target.address}", f"  ProxyCommand {proxy}"]
        (self.directory / "paramiko_config").write_text("\n".join(lines) + "\n")

    def run(self, name: str, *, check: bool = False) -> tuple[Measured, list[str]]:
        """Run a tool; return what it took and what it changed, or with ``check`` would change.

        Raises BaselineError where it fails.
        """
        words, environment = (
            self._pyinfra(check=check) if name == "pyinfra" else self._ansible(name, check=check)
        )
        with measured() as found:
            printed = self._output(words, environment)
        changes = _pyinfra_changes if name == "pyinfra" else _ansible_changes
        return found, changes(printed, len(self.desired))

    def _pyinfra(self, *, check: bool) -> tuple[list[str], dict[str, str]]:
        # With -y it looks for no changes beforehand, which is quicker; with --dry that is all.
        words = [str(self.python / "bin/pyinfra"), "--dry" if check else "-y", "--json"]
        words += ["--parallel", str(len(self.desired))]
        words += [str(PLACE / "hosts/inventory.py"), str(PLACE / "hosts/deploy.py")]
        return words, {"BENCH_HOSTS": str(self.directory)}

    def _ansible(self, name: str, *, check: bool) -> tuple[list[str], dict[str, str]]:
        words = [str(self.python / "bin/ansible-playbook")]
        words += ["-i", str(self.directory / "inventory.json"), str(PLACE / "hosts/playbook.yml")]
        words += ["--check"] if check else []
        environment = {
            "ANSIBLE_CONFIG": str(PLACE / "hosts/ansible.cfg"),
            "ANSIBLE_HOME": str(self.directory / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            # The shared connections of the configuration are used: Ansible adds none of its own.
            "ANSIBLE_SSH_ARGS": shlex.join(["-F", str(self.connections.configuration)]),
        }
        if name == "mitogen":
            (plugins,) = self.python.glob("lib/python*/site-packages/ansible_mitogen/plugins")
            environment["ANSIBLE_STRATEGY"] = "mitogen_linear"
            environment["ANSIBLE_STRATEGY_PLUGINS"] = str(plugins / "strategy")
        return words, environment

    def _output(self, words: list[str], environment: dict[str, str]) -> str:
        """Run in a process group of its own, which a limit ends; return what it printed."""
        printed, said = self.directory / "stdout", self.directory / "stderr"
        with printed.open("w") as out, said.open("w") as error:
            process = subprocess.Popen(
                words,
                env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=error,
                cwd=self.directory,
                start_new_session=True,
            )
            try:
                code = process.wait(LIMIT_SECONDS)
            except BaseException as problem:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                if isinstance(problem, subprocess.TimeoutExpired):
                    raise BaselineError(f"{words[0]}: not done in {LIMIT_SECONDS} s") from None
                raise
        text = printed.read_text(errors="replace")
        if code:
            lines = [*text.splitlines()[-15:], *said.read_text(errors="replace").splitlines()[-15:]]
            tail = "\n".join(line[:300] for line in lines)
            raise BaselineError(f"{Path(words[0]).name} ended with {code}:\n{tail}")
        return text


def _ansible_changes(printed: str, hosts: int) -> list[str]:
    rows = _RECAP.findall(printed)
    if len(rows) != hosts or any(int(row[1]) + int(row[2]) for row in rows):
        raise BaselineError(f"Ansible did not do all hosts:\n{printed[-3000:]}")
    # A loop is one task in the recap: its items are counted instead.
    return [f"{host}: {item or 'a task'}" for host, item in _CHANGED.findall(printed)]


def _pyinfra_changes(printed: str, hosts: int) -> list[str]:
    told = json.loads(printed)
    if told["results"] is None:
        return [f"{h}: {op['name']}" for op in told["plan"] for h in op["hosts_with_change"]]
    failed = {name for op in told["results"]["operations"] for name in op["error"]}
    if failed := failed | set(told["results"]["failed_hosts"]):
        raise BaselineError(f"pyinfra failed on {len(failed)} of {hosts} hosts")
    return [f"{h}: {op['name']}" for op in told["results"]["operations"] for h in op["success"]]
