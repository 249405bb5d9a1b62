import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fhirstack.bundle.cache import cache_directory, digest_of, file_sha256, once
from fhirstack.errors import UnreachableError


def fill(directory: Path, log: Path) -> None:
    (directory / "file").write_text("whole")
    log.write_text("made")


def entries(cache: Path) -> list[str]:
    """Return what is in the cache, but for locks and logs."""
    return sorted(
        path.name for path in cache.iterdir() if path.suffix != ".lock" and path.name != "log"
    )


def test_what_is_made_is_kept_and_not_made_again(cache: Path):
    place = once("thing", fill)

    assert place == cache / "thing"
    assert (place / "file").read_text() == "whole"
    assert place.stat().st_mode & 0o777 == 0o755
    assert once("thing", lambda *_: pytest.fail("made again")) == place
    assert entries(cache) == ["thing"]


def test_a_failure_leaves_nothing_but_the_log(cache: Path):
    def fail(directory: Path, log: Path) -> None:
        fill(directory, log)
        raise UnreachableError("no network")

    with pytest.raises(UnreachableError, match="no network"):
        once("thing", fail)

    assert entries(cache) == []
    assert (cache / "log/thing.log").read_text() == "made"
    assert once("thing", fill).is_dir()


def test_an_interruption_leaves_nothing(cache: Path):
    def interrupted(directory: Path, log: Path) -> None:
        fill(directory, log)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        once("thing", interrupted)

    assert entries(cache) == []


def test_a_log_begins_anew(cache: Path):
    def fail(directory: Path, log: Path) -> None:
        with log.open("a") as stream:
            stream.write("once ")
        raise UnreachableError("no network")

    for _ in range(2):
        with pytest.raises(UnreachableError):
            once("thing", fail)

    assert (cache / "log/thing.log").read_text() == "once "


def test_what_a_killed_run_left_is_removed(cache: Path):
    script = """
import os, signal
from fhirstack.bundle.cache import once

def make(directory, log):
    (directory / "deep").mkdir()
    (directory / "deep" / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

once("thing", make)
"""
    killed = subprocess.run([sys.executable, "-c", script], env=os.environ | _path(), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(entries(cache)) == 1
    assert not (cache / "thing").exists()

    once("thing", fill)

    assert entries(cache) == ["thing"]


def test_a_leftover_of_another_entry_stays(cache: Path):
    other = cache / ".another.1.part"
    other.mkdir(parents=True)

    once("thing", fill)

    assert other.is_dir()


def test_callers_at_once_make_it_once(cache: Path):
    calls: list[int] = []
    places: list[Path] = []

    def slowly(directory: Path, log: Path) -> None:
        calls.append(1)
        time.sleep(0.2)
        fill(directory, log)

    threads = [
        threading.Thread(target=lambda: places.append(once("thing", slowly))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert calls == [1]
    assert places == [cache / "thing"] * 6


def test_processes_at_once_make_it_once(cache: Path, tmp_path: Path):
    script = f"""
import time
from fhirstack.bundle.cache import once

def make(directory, log):
    with open({str(tmp_path / "calls")!r}, "a") as stream:
        stream.write("x")
    time.sleep(0.3)

once("thing", make)
"""
    command = [sys.executable, "-c", script]
    started = [subprocess.Popen(command, env=os.environ | _path()) for _ in range(3)]

    assert [process.wait() for process in started] == [0, 0, 0]
    assert (tmp_path / "calls").read_text() == "x"


def test_a_caller_that_waited_for_a_failure_makes_it_itself(cache: Path):
    held, failed = threading.Event(), []

    def fail(directory: Path, log: Path) -> None:
        held.set()
        time.sleep(0.2)
        raise UnreachableError("no network")

    def first() -> None:
        with pytest.raises(UnreachableError) as caught:
            once("thing", fail)
        failed.append(caught.value)

    thread = threading.Thread(target=first)
    thread.start()
    held.wait()

    assert (once("thing", fill) / "file").exists()
    thread.join()
    assert len(failed) == 1


def test_one_entry_may_need_another(cache: Path):
    def outer(directory: Path, log: Path) -> None:
        (directory / "copy").write_text((once("inner", fill) / "file").read_text())

    assert (once("outer", outer) / "copy").read_text() == "whole"


def test_a_full_disk_is_told_and_leaves_nothing(cache: Path):
    def fail(directory: Path, log: Path) -> None:
        fill(directory, log)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UnreachableError, match="thing: the disk is full") as caught:
        once("thing", fail)

    assert "Free some space" in caught.value.remedy
    assert entries(cache) == []


def test_a_cache_that_is_a_file_is_told(cache: Path):
    cache.write_text("a file")

    with pytest.raises(UnreachableError, match=r"exists|Not a directory") as caught:
        once("thing", fill)

    assert "FHIRSTACK_CACHE" in caught.value.remedy


def test_a_file_in_the_place_of_an_entry_is_told(cache: Path):
    cache.mkdir()
    (cache / "thing").write_text("a file")

    with pytest.raises(UnreachableError, match="thing: Not a directory"):
        once("thing", fill)

    assert entries(cache) == ["thing"]


@pytest.mark.usefixtures("cache")
def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert cache_directory() == tmp_path / "cache"

    monkeypatch.delenv("FHIRSTACK_CACHE")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "fhirstack"

    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert cache_directory() == Path("/var/cache/fhirstack")


def test_digests(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"jar")

    assert digest_of(b"ab", b"c") != digest_of(b"a", b"bc")
    assert file_sha256(tmp_path / "file").startswith("0163f1eea789")


def _path() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(sys.path)}
