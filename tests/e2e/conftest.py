"""End-to-end tests: real services of one stack, brought up once for all of them."""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fhirstack.planes.local import processes
from fhirstack.planes.local import up as bringing
from fhirstack.planes.local.account import remove_tree
from fhirstack.planes.local.stack import Stack, find
from fhirstack.planes.local.supervisor import Supervisor

REPOSITORY = Path(__file__).resolve().parents[2]
HOME = Path("/tmp/fhirstack-tests" if os.geteuid() == 0 else Path.home() / ".fhirstack-tests")  # noqa: S108
PORT_BASE = 20400
LIMIT_SECONDS = 900
RESULTS = "verified.json"


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class Cli:
    """Runs ./fhirstack as a person would, on the stack of the tests."""

    name: str
    environment: dict[str, str]

    def __call__(self, *words: str, name: bool = True) -> Answer:
        named = ["--name", self.name] if name else []
        result = subprocess.run(
            [str(REPOSITORY / "fhirstack"), *words, *named],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        return Answer(result.returncode, result.stdout, result.stderr)

    def ok(self, *words: str) -> str:
        answer = self(*words)
        assert answer.code == 0, f"{words}: {answer.code}\n{answer.text}"
        return answer.text

    def converge(self, **wanted: Any) -> bringing.Result:
        """Do what `up` does, without the verification of everything."""
        return bringing.up(
            self.name, bringing.Wanted(**wanted), lambda title: contextlib.nullcontext()
        )

    def status(self) -> dict[str, dict[str, Any]]:
        return {
            service["name"]: service
            for service in json.loads(self("status", "--format", "json").out)
        }

    @property
    def stack(self) -> Stack:
        found = find(self.name)
        assert found is not None
        return found

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.stack.root)


def clear(home: Path) -> None:
    """End and remove what a killed run of these tests left, by its own names only."""
    for root in home.glob("*") if home.exists() else []:
        processes.end(processes.of_stack(root))
    remove_tree(home)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    clear(HOME)
    HOME.mkdir(mode=0o755)
    os.environ["FHIRSTACK_HOME"] = str(HOME)
    yield HOME
    clear(HOME)


@pytest.fixture(scope="session")
def cli(home: Path) -> Cli:
    """The command line on a stack that runs everything, and was verified (`verified`)."""
    made = Cli("e2e", dict(os.environ))
    made.converge(port_base=PORT_BASE)
    # The one whole run of the tests: what `up` does too, where nothing of a programme is there yet.
    answer = made("verify", "--format", "json", "--output", str(home / RESULTS))
    assert answer.code in (0, 1), answer.text
    return made


@pytest.fixture(scope="session")
def verified(cli: Cli, home: Path) -> dict[str, dict[str, Any]]:
    """What every check found, by its id."""
    return {result["id"]: result for result in json.loads((home / RESULTS).read_text())}


@pytest.fixture
def bare(home: Path) -> Iterator[Cli]:
    """A stack's name with nothing behind it, taken down afterwards.

    Its tests bring up the core alone, unless analytics are what they are about.
    """
    made = Cli("bare", dict(os.environ))
    yield made
    with contextlib.suppress(Exception):
        made("down", "--delete-data")
    assert not (home / "bare").exists() or shutil.rmtree(home / "bare") is None
