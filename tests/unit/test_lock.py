"""Locks: who waits, who is told, and that they end with their process."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

import fhirstack
from fhirstack.errors import UsageError
from fhirstack.lock import locked

LIMIT_SECONDS = 120
HOLDER = """
import sys
from pathlib import Path
from fhirstack.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Return a lock's path and the process that holds it."""
    path = tmp_path / "made/lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    source = {"PYTHONPATH": str(Path(fhirstack.__file__).parents[1])}
    with subprocess.Popen(command, env=source, **pipes) as process:
        assert process.stdout.readline() == b"held\n"
        yield path, process
        process.kill()


def test_who_does_not_wait_is_told_who_holds_it_and_where(holder):
    path, _ = holder
    held = "another one is at work"
    with pytest.raises(UsageError, match=held) as error, locked(path, held):
        pytest.fail("it was held")
    assert error.value.where == str(path.parent)
    assert "Wait" in error.value.remedy


def test_it_ends_with_its_process_however_that_ends(holder):
    path, process = holder
    process.kill()
    process.wait()
    with locked(path, "another one"):
        pass


def test_who_waits_gets_it_when_it_is_free(holder):
    path, process = holder
    got = threading.Event()

    def wait():
        with locked(path):
            got.set()

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    assert not got.is_set()
    process.stdin.close()
    waiting.join(LIMIT_SECONDS)
    assert got.is_set()


def test_it_is_free_after_an_error(tmp_path):
    path = tmp_path / "lock"
    with pytest.raises(ValueError, match="x"), locked(path, "held"):
        raise ValueError("x")
    with locked(path, "held"):
        pass
