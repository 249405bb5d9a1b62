"""Measures a plan with nothing to do, beside bare ``ssh HOST true``, pyinfra and Ansible.

For each number of hosts and each added delay, rounds of: all shared connections closed, then each
of floor and plan *cold*, from no connection at all; then each *warm*, through the connections
that are open by then; then the baselines, warm too. The hosts must be as declared: nothing is
changed by anything here.
"""

import argparse
import datetime
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.hosts_baselines import NAMES, BaselineError, Baselines
from bench.hosts_cpu import Measured, measured
from fhirstack.bundle.artifacts import REPOSITORY
from fhirstack.cli.hosts import Opened
from fhirstack.errors import FhirstackError
from fhirstack.model.host import Role
from fhirstack.planes.hosts import plane

RESULTS = Path(__file__).parent / "results"
DELAY = "LAB_DELAY_MS"
"""Read by the lab's relay when a connection is made: milliseconds, each way."""

LIMIT_SECONDS = 300.0
FLOOR, PLAN, PROCESS, START = "floor", "plan", "process", "start"
SHOWN = 20
"""Changes of a baseline that are told; all are in the raw data."""

PARTS = (
    *("this program", "its children", "shared connections", "relay"),
    *("bastion", "balancer", "others"),
)
TITLES = {
    FLOOR: "ssh HOST true, all at once: the floor",
    PLAN: "plan, in a process that runs",
    PROCESS: "./fhirstack plan, the whole process",
    START: "./fhirstack version: its start alone",
    "pyinfra": "pyinfra",
    "mitogen": "Ansible with Mitogen",
    "ansible": "Ansible",
}


@dataclass
class Subject:
    """The hosts that are measured, and how many of the environment's they are."""

    opened: Opened
    whole: bool
    """Whether they are all hosts of the environment."""
    desired: plane.Desired = field(init=False)
    compiled: float = field(init=False)
    """Seconds that it took to compile the desired state: part of the whole process."""

    def __post_init__(self) -> None:
        began = time.perf_counter()
        self.desired = self.opened.desired()
        self.compiled = time.perf_counter() - began
        (entry,) = self.opened.environment.hosts_of(Role.LOAD_BALANCER)
        self.names = sorted((h.name for h in self.opened.hosts), key=lambda n: n != entry.name)

    def floor(self) -> dict[str, Any]:
        """Run ``true`` on every host at once, the shared connection first, as plan does."""
        connections = self.opened.connections
        connections.open()
        running = [
            subprocess.Popen(
                connections.command(name, "true", options=("-o", "BatchMode=yes")),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for name in self.names
        ]
        limit = time.monotonic() + LIMIT_SECONDS
        try:
            codes = [each.wait(max(limit - time.monotonic(), 0)) for each in running]
        finally:
            for each in running:
                each.kill()
        if any(codes):
            failed = [n for n, code in zip(self.names, codes, strict=True) if code]
            raise BaselineError(f"ssh to {', '.join(failed)} failed")
        return {}

    def plan(self) -> dict[str, Any]:
        """Plan in this process: what the tool does between reading the site and printing."""
        opened = self.opened
        began = time.perf_counter()
        opened.connect()
        connected = time.perf_counter() - began
        found = plane.plan(opened.connections, opened.site.programme, self.desired)
        self.refuse(found)
        agents = {name: host.seconds for name, host in found.hosts.items()}
        return {"connect": connected, "agents": agents}

    def process(self) -> dict[str, Any]:
        """Run the command as a person would."""
        words = ["plan", "-e", self.opened.environment.name, "-f", str(self.opened.file)]
        if not self.whole:
            words += [word for name in self.names for word in ("--host", name)]
        _run([str(REPOSITORY / "fhirstack"), *words])
        return {}

    def refuse(self, found: plane.Plan) -> None:
        """End where hosts are not as declared."""
        for error in found.errors.values():
            print(error, file=sys.stderr)
        if found.errors or found.changes:
            how = f"-e {self.opened.environment.name} -f {self.opened.file}"
            sys.exit(
                f"{len(found.errors)} hosts could not be looked at, and there are"
                f" {len(found.changes)} differences. All must be as declared:"
                f" ./fhirstack apply {how} --yes"
            )


def main() -> None:
    """Measure, print, keep the raw data."""
    chosen = _options().parse_args()
    if not chosen.site.exists():
        sys.exit(f"there is no {chosen.site}: run lab/up, then ./fhirstack apply")
    found: dict[str, Any] = {
        "load": os.getloadavg()[0],
        "cores": os.cpu_count(),
        "repeats": chosen.repeats,
        "cases": [],
    }
    kept = os.environ.get(DELAY)
    try:
        for count in chosen.hosts or [0]:
            subject = _subject(chosen.site, chosen.environment, count)
            found["cases"] += _hosts(subject, chosen)
    except (FhirstackError, BaselineError) as error:
        sys.exit(str(error))
    finally:
        os.environ.pop(DELAY, None)
        if kept is not None:
            os.environ[DELAY] = kept
    _report(found["cases"])
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    path = RESULTS / f"hosts-{stamp}.json"
    path.write_text(json.dumps(found, indent=1) + "\n")
    print(f"raw data: {path}")


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--site", type=Path, default=Path("/var/lib/fhirstack-lab/site.yaml"))
    options.add_argument("--environment", default="production")
    options.add_argument("--hosts", type=_numbers, help="how many: 11,25,50; by default all")
    options.add_argument("--delays", type=_numbers, default=[0, 80, 150], help="ms each way")
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--baselines", type=_names, default=list(NAMES), help="names, or none")
    options.add_argument("--baseline-repeats", type=int, default=3)
    options.add_argument("--ansible-repeats", type=int, default=1, help="of Ansible alone: slow")
    return options


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _names(text: str) -> list[str]:
    names = [] if text == "none" else text.split(",")
    if unknown := set(names) - set(NAMES):
        raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}: there are {', '.join(NAMES)}")
    return names


def _subject(site: Path, environment: str, count: int) -> Subject:
    every = Opened(site, environment, None, None)
    if count in (0, len(every.hosts)):
        return Subject(every, whole=True)
    if count > len(every.hosts):
        sys.exit(f"the site has {len(every.hosts)} hosts: lab/up --hosts {count}, then apply")
    (entry,) = every.environment.hosts_of(Role.LOAD_BALANCER)
    others = [host.name for host in every.hosts if host is not entry]
    return Subject(Opened(site, environment, [entry.name, *others[: count - 1]], None), whole=False)


def _hosts(subject: Subject, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure these hosts at every delay."""
    os.environ.pop(DELAY, None)
    subject.plan()
    directory = Path(tempfile.mkdtemp(prefix="fhirstack-bench-hosts-"))
    try:
        baselines = Baselines(subject.opened.connections, subject.desired, directory)
        # Ansible has one playbook, with Mitogen or without: the quick one tells for both.
        asked = {n: "mitogen" if n == "ansible" else n for n in chosen.baselines}
        told = {name: _would_change(baselines, name) for name in sorted(set(asked.values()))}
        would = {name: told[other] for name, other in asked.items()}
        cases = []
        for delay in chosen.delays:
            case = {
                "hosts": len(subject.names),
                "names": subject.names,
                "delay_ms": delay,
                "load": os.getloadavg()[0],
                "compiled": subject.compiled,
                "given": baselines.given,
                "would change": would,
            }
            os.environ[DELAY] = str(delay)
            try:
                case["runs"] = _rounds(subject, baselines, chosen, would)
            finally:
                subject.opened.connections.close()
            cases.append(case)
        return cases
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _would_change(baselines: Baselines, name: str) -> list[str]:
    """Return what a baseline would change; where anything, it is measured without changing it."""
    _say(f"what {TITLES[name]} would change")
    _, changes = baselines.run(name, check=True)
    for change in changes[:SHOWN]:
        _say(f"  {change}")
    if changes:
        _say(f"{len(changes)} changes: {TITLES[name]} is only asked what it would do")
    return changes


def _rounds(
    subject: Subject, baselines: Baselines, chosen: argparse.Namespace, would: dict[str, list[str]]
) -> dict[str, list[dict[str, Any]]]:
    """Run all in turns; return every run by its name."""
    runs: dict[str, list[dict[str, Any]]] = {}
    connections = subject.opened.connections
    ours: list[tuple[str, Callable[[], dict[str, Any]]]] = [
        (FLOOR, subject.floor),
        (PLAN, subject.plan),
        (PROCESS, subject.process),
    ]
    repeats = dict.fromkeys(chosen.baselines, chosen.baseline_repeats)
    if "ansible" in repeats:
        repeats["ansible"] = chosen.ansible_repeats
    for number in range(max(chosen.repeats, *repeats.values(), 1)):
        _say(f"{len(subject.names)} hosts, {os.environ[DELAY]} ms, round {number + 1}")
        if number < chosen.repeats:
            for name, work in ours:
                connections.close()
                _take(runs, f"{name} cold", work)
            for name, work in ours:
                _take(runs, f"{name} warm", work)
            _take(runs, START, _start)
        for name in chosen.baselines:
            if number < repeats[name]:
                subject.floor()  # The shared connections are open: in the baseline's favour.
                _say(f"{TITLES[name]}")
                took, changes = baselines.run(name, check=bool(would[name]))
                _keep(runs, name, took, {"changes": len(changes)})
    return runs


def _take(
    runs: dict[str, list[dict[str, Any]]], name: str, work: Callable[[], dict[str, Any]]
) -> None:
    with measured() as took:
        more = work()
    _keep(runs, name, took, more)


def _keep(
    runs: dict[str, list[dict[str, Any]]], name: str, took: Measured, more: dict[str, Any]
) -> None:
    runs.setdefault(name, []).append({"seconds": took.seconds, "cpu": took.cpu, **more})


def _start() -> dict[str, Any]:
    _run([str(REPOSITORY / "fhirstack"), "version"])
    return {}


def _run(words: list[str]) -> None:
    """Run a command of ours to its end, in a group of its own, which a limit ends."""
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=LIMIT_SECONDS)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode:
        raise BaselineError(f"{' '.join(words)} ended with {process.returncode}:\n{printed}")


def _say(what: str) -> None:
    print(f"… {what}", file=sys.stderr, flush=True)


def _report(cases: Iterable[dict[str, Any]]) -> None:
    for case in cases:
        runs = case["runs"]
        print(f"\n{case['hosts']} hosts, {case['delay_ms']} ms added each way")
        print(f"{'medians, seconds':<40}{'cold':>8}{'÷ floor':>9}{'warm':>10}{'÷ floor':>9}")
        for name in (FLOOR, PLAN, PROCESS):
            line = f"{TITLES[name]:<40}"
            for state in ("cold", "warm"):
                value = _middle(runs, f"{name} {state}")
                ratio = value / _middle(runs, f"{FLOOR} {state}")
                line += f"{value:>{8 if state == 'cold' else 10}.2f}{ratio:>9.2f}"
            print(line)
        print(f"{TITLES[START]:<40}{_middle(runs, START):>8.2f}")
        _report_baselines(case)
        _report_cpu(case)


def _report_baselines(case: dict[str, Any]) -> None:
    runs = case["runs"]
    shown = [name for name in NAMES if name in runs]
    if shown:
        print(f"{'':<40}{'seconds':>8}{'÷ plan':>9}{'÷ process':>10}{'changes':>9}")
    for name in shown:
        value = _middle(runs, name)
        line = f"{TITLES[name]:<40}{value:>8.1f}"
        line += f"{value / _middle(runs, f'{PLAN} warm'):>9.1f}"
        line += f"{value / _middle(runs, f'{PROCESS} warm'):>10.1f}"
        print(f"{line}{max(run['changes'] for run in runs[name]):>9}")
    if shown:
        given = case["given"]
        left = {tool: sum(kinds.values()) for tool, kinds in given["left out"].items()}
        print(
            f"of {given['resources']} resources, left out or in part:"
            f" {left['ansible']} for Ansible, {left['pyinfra']} for pyinfra"
        )


def _report_cpu(case: dict[str, Any]) -> None:
    """Print who spent CPU seconds: means of all rounds."""
    print(f"{'CPU seconds':<16}{'here':>8}{'masters':>9}{'relay':>7}", end="")
    print(f"{'bastion':>9}{'balancer':>10}{'others':>8}{'÷ host':>8}")
    for name in (f"{n} {state}" for n in (FLOOR, PLAN) for state in ("cold", "warm")):
        parts = _parts(case["runs"][name], case["names"])
        here = parts["this program"] + parts["its children"]
        others = parts["others"]
        print(
            f"{name:<16}{here:>8.2f}{parts['shared connections']:>9.2f}{parts['relay']:>7.2f}"
            f"{parts['bastion']:>9.2f}{parts['balancer']:>10.2f}{others:>8.2f}"
            f"{others / max(case['hosts'] - 1, 1):>8.3f}"
        )
    agents = [s for run in case["runs"][f"{PLAN} warm"] for s in run["agents"].values()]
    print(f"agents, on the clock: median {statistics.median(agents):.3f} s,", end=" ")
    print(f"slowest {max(agents):.3f} s; desired state compiled in {case['compiled']:.3f} s")


def _parts(runs: list[dict[str, Any]], names: list[str]) -> dict[str, float]:
    """Return mean CPU seconds by part; of the hosts those that were asked, but for the way in."""
    found = dict.fromkeys(PARTS, 0.0)
    for run in runs:
        for name, seconds in run["cpu"].items():
            host = name.removeprefix("host ")
            if name in found:
                part = name
            elif host == "bastion":
                part = "bastion"
            elif host not in names:
                continue
            else:
                part = "balancer" if host == names[0] else "others"
            found[part] += seconds / len(runs)
    return found


def _middle(runs: dict[str, list[dict[str, Any]]], name: str) -> float:
    return statistics.median(float(run["seconds"]) for run in runs[name])


if __name__ == "__main__":
    main()
