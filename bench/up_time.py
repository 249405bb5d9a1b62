"""Measures ``up``: from an empty cache, from a warm one, and with nothing to do; and memory."""

import argparse
import datetime
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from fhirstack.planes.local import processes
from fhirstack.planes.local.stack import find

REPOSITORY = Path(__file__).resolve().parents[1]
NAME = "bench-up"
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run the cases, print times and ratios, keep the raw data."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cold", action="store_true", help="also with an empty cache")
    options.add_argument("--port-base", default="21400")
    options.add_argument("--repeat", type=int, default=5, help="runs with nothing to do")
    options.add_argument("--core", action="store_true", help="without analytics")
    chosen = options.parse_args()
    how = ["--port-base", chosen.port_base]
    how += ["--without", "analytics"] if chosen.core else []
    times: dict[str, list[float]] = {}
    floor = [_seconds([str(REPOSITORY / "fhirstack"), "version"], {}) for _ in range(5)]
    times["floor: fhirstack version"] = floor
    if chosen.cold:
        with _empty_cache() as cache:
            times["cold up, verified"] = [_up(how, cache)]
            _down()
    times["warm up, verified"] = [_up(how, {})]
    times["up, nothing to do"] = [_up(how, {}) for _ in range(chosen.repeat)]
    memory = _memory()
    _down()
    middle = sorted(floor)[len(floor) // 2]
    for name, values in times.items():
        median = sorted(values)[len(values) // 2]
        print(f"{name:<28}{median:>8.1f} s   ÷ floor {median / middle:>7.1f}")
    for name, (rss, pss) in memory.items():
        print(f"{name:<28}{rss // 2**20:>6} MiB RSS {pss // 2**20:>6} MiB PSS")
    total = [sum(sizes) // 10**6 for sizes in zip(*memory.values(), strict=True)]
    print(f"{'all processes':<28}{total[0]:>6} MB RSS  {total[1]:>6} MB PSS")
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    path = RESULTS / f"up-{stamp}.json"
    data = {"core": chosen.core, "seconds": times, "memory": memory, "load": os.getloadavg()[0]}
    path.write_text(json.dumps(data, indent=1) + "\n")
    print(f"raw data: {path}")


class _empty_cache:  # noqa: N801 - used as a function
    """An empty cache for us and for Maven, removed afterwards."""

    def __enter__(self) -> dict[str, str]:
        self.path = tempfile.mkdtemp(prefix="fhirstack-cold-")
        Path(self.path).chmod(0o755)
        options = f"{os.environ.get('MAVEN_OPTS', '')} -Dmaven.repo.local={self.path}/maven"
        return {"FHIRSTACK_CACHE": f"{self.path}/cache", "MAVEN_OPTS": options.strip()}

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path)


def _up(how: list[str], environment: dict[str, str]) -> float:
    return _seconds([str(REPOSITORY / "fhirstack"), "up", "--name", NAME, *how], environment)


def _down() -> None:
    words = [str(REPOSITORY / "fhirstack"), "down", "--name", NAME, "--delete-data"]
    subprocess.run(words, check=True, capture_output=True)


def _seconds(words: list[str], environment: dict[str, str]) -> float:
    started = time.monotonic()
    subprocess.run(words, env={**os.environ, **environment}, check=True, capture_output=True)
    return time.monotonic() - started


def _memory() -> dict[str, tuple[int, int]]:
    stack = find(NAME)
    if stack is None:
        raise SystemExit("the stack of this measurement is gone")
    found: dict[str, tuple[int, int]] = {}
    for process in processes.of_stack(stack.root):
        rss, pss = processes.resident_bytes(process.pid)
        found[f"{Path(process.command).name} {process.pid}"] = (rss, pss)
    return found


if __name__ == "__main__":
    main()
