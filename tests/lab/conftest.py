"""Tests on the lab: eleven real hosts, made once for all of them and taken away afterwards."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
KEPT = os.environ.get("FHIRSTACK_LAB")
"""A lab that is up already: it is used as it is and stays. For who works on these tests."""
STATE = Path(KEPT or "/var/lib/fhirstack-lab-tests")
LIMIT_SECONDS = 900
ENVIRONMENT = {**os.environ, "FHIRSTACK_LAB": str(STATE)}


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str
    seconds: float = 0

    @property
    def text(self) -> str:
        return self.out + self.err


def command(*words: str, **options: Any) -> Answer:
    """Run a command to its end."""
    started = time.monotonic()
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
        env=options.pop("env", ENVIRONMENT),
        **options,
    )
    return Answer(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


@dataclass(frozen=True)
class Lab:
    """The lab's hosts, and ./fhirstack on them as a person would run it."""

    site: Path

    def __call__(self, *words: str, site: Path | None = None) -> Answer:
        """Run ./fhirstack on the lab's site."""
        site_words = ("-f", str(site or self.site), "-e", "production")
        head, tail = (words, ()) if "--" not in words else _split(words)
        return command(str(REPOSITORY / "fhirstack"), *head, *site_words, *tail)

    def ok(self, *words: str, site: Path | None = None) -> Answer:
        answer = self(*words, site=site)
        assert answer.code == 0, f"{words}: {answer.code}\n{answer.text}"
        return answer

    def shell(self, host: str, script: str, check: bool = True) -> str:
        """Run a script on a host, as root, by no way that fhirstack uses."""
        done = command(str(REPOSITORY / "lab/shell"), _full(host), "sh", "-c", script)
        assert done.code == 0 or not check, f"{host}: {script}: {done.code}\n{done.text}"
        return done.out

    def tool(self, name: str, *words: str) -> Answer:
        """Run one of the lab's own commands."""
        done = command(str(REPOSITORY / "lab" / name), *words)
        assert done.code == 0, f"lab/{name} {words}: {done.text}"
        return done

    def drift(self, *words: str) -> dict[str, list[dict[str, Any]]]:
        """Return the changes of each host that differs."""
        answer = self("drift", "--format", "json", *words)
        assert answer.code in (0, 1), answer.text
        hosts = json.loads(answer.out)["hosts"]
        return {
            name: [change for change in host["changes"] if change["action"] != "report"]
            for name, host in hosts.items()
            if any(change["action"] != "report" for change in host["changes"])
        }

    def records(self, host: str) -> list[dict[str, Any]]:
        """Return what the agents noted on a host."""
        text = self.shell(host, "cat /var/lib/fhirstack/record.jsonl 2>/dev/null || true")
        return [json.loads(line) for line in text.splitlines()]

    @property
    def hosts(self) -> list[str]:
        document = yaml.safe_load(self.site.read_text())
        return [host["name"] for host in document["environments"]["production"]["hosts"]]

    def edited(self, path: Path, edit: Callable[[dict[str, Any]], Any]) -> Path:
        """Write a site in which the production environment is another; keys stay known."""
        document = yaml.safe_load(self.site.read_text())
        edit(document["environments"]["production"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document))
        for name in (".fhirstack", "secrets"):
            if (self.site.parent / name).exists():
                shutil.copytree(self.site.parent / name, path.parent / name, dirs_exist_ok=True)
        return path


def _split(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    place = words.index("--")
    return words[:place], words[place:]


def _full(host: str) -> str:
    return host if host in ("bastion", "internet", "monitoring") else f"production-{host}"


def until(met: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    """Wait for a condition. Fails with what was waited for."""
    limit = time.monotonic() + seconds
    while not (found := met()):
        assert time.monotonic() < limit, f"after {seconds:.0f} s: not {what}"
        time.sleep(0.2)
    return found


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Eleven bare hosts and what is around them."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("the lab makes namespaces and mounts: it needs root on Linux")
    if KEPT:
        yield Lab(STATE / "site.yaml")
        return
    command(str(REPOSITORY / "lab/down"))
    made = command(str(REPOSITORY / "lab/up"))
    assert made.code == 0, made.text
    yield Lab(STATE / "site.yaml")
    gone = command(str(REPOSITORY / "lab/down"))
    assert gone.code == 0, gone.text
    assert not STATE.exists()


@pytest.fixture(scope="session")
def preflight(lab: Lab) -> Answer:
    """What preflight says of the bare hosts."""
    return lab("preflight", "--format", "json")


@pytest.fixture(scope="session")
def built(lab: Lab, preflight: Answer) -> Lab:
    """The same hosts, built from bare after preflight has looked at them."""
    planned = lab("plan")
    if not KEPT:
        assert planned.code == 1, planned.text
        assert "0 as declared, 11 differ" in planned.out
    lab.ok("apply", "--yes")
    return lab
