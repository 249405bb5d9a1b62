import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from fhirstack.bundle.programs import disk_error, last_lines, run
from fhirstack.errors import UnreachableError


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def is_running(pid: int) -> bool:
    """Tell whether a process is there and not only waiting to be reaped by its parent."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until_ended(pid: int) -> None:
    deadline = time.monotonic() + 20
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_lines_go_to_the_log_and_to_the_reader(tmp_path: Path):
    log, lines = tmp_path / "log", []
    log.write_text("before\n")

    run(
        python(r"import sys; print('one'); sys.stdout.buffer.write(b'\xff two')"),
        log=log,
        each_line=lines.append,
    )

    assert lines == ["one\n", "\N{REPLACEMENT CHARACTER} two"]
    assert log.read_bytes() == b"before\none\n\xff two"


def test_a_line_is_given_when_it_is_printed(tmp_path: Path):
    go = tmp_path / "go"
    script = "import pathlib, time, sys; print('ready', flush=True)\nwhile not pathlib.Path("
    script += f"{str(go)!r}).exists(): time.sleep(0.01)"

    run(python(script), each_line=lambda _: go.touch())


def test_errors_are_output_too_and_nothing_can_be_typed():
    lines: list[str] = []

    run(
        python("import sys; sys.stderr.write(repr(sys.stdin.read()))"),
        each_line=lines.append,
    )

    assert lines == ["''"]


def test_directory_and_environment(tmp_path: Path):
    lines: list[str] = []

    run(
        python("import os; print(os.getcwd(), os.environ['A'], 'HOME' in os.environ)"),
        directory=tmp_path,
        environment={"A": "b"},
        each_line=lines.append,
    )

    assert lines == [f"{tmp_path} b False\n"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run as another user")
def test_another_user():
    lines: list[str] = []
    script = "import os; print(os.getuid(), os.getgid(), os.getgroups())"

    run(["/usr/bin/python3", "-c", script], user=(65534, 65533), each_line=lines.append)

    assert lines == ["65534 65533 []\n"]


@pytest.mark.parametrize(
    ("output", "cause", "remedy"),
    [
        ("java.io.IOException: No space left on device", "the disk is full", "Free"),
        ("write: Disk quota exceeded", "the disk is full", "Free"),
        ("Exception: java.lang.OutOfMemoryError", "not enough memory", "Close other programs"),
        ("There is insufficient memory for the Java", "not enough memory", "Close other programs"),
        ("Could not reserve enough space for heap", "not enough memory", "Close other programs"),
        (
            "Could not transfer artifact x: Checksum validation failed, expected 1",
            "a download was damaged",
            "Run it again",
        ),
        (
            "Could not transfer artifact x from/to central: repo.example: Unknown host",
            "a name could not be looked up",
            "DNS",
        ),
        ("java.net.UnknownHostException: repo.example", "could not be looked up", "DNS"),
        ("Temporary failure in name resolution", "could not be looked up", "DNS"),
        ("Could not transfer artifact x from/to central", "cannot be reached", "network"),
        ("Network is unreachable", "cannot be reached", "network"),
        ("Connection refused", "cannot be reached", "network"),
        ("Connect timed out", "cannot be reached", "network"),
        ("Could not find artifact x in central", "not in the Maven repository", "mirror"),
        ("x was not found in central", "not in the Maven repository", "mirror"),
    ],
)
def test_a_known_cause_is_told_with_its_remedy(output: str, cause: str, remedy: str):
    with pytest.raises(UnreachableError) as caught:
        run(python(f"print({output!r}); raise SystemExit(3)"))

    assert cause in caught.value.what
    assert "ended with 3" in caught.value.what
    assert output in caught.value.what
    assert remedy in caught.value.remedy


def test_an_unknown_cause_is_told_with_the_last_lines_and_the_log(tmp_path: Path):
    log = tmp_path / "log"

    with pytest.raises(UnreachableError) as caught:
        run(python("for n in range(50): print(f'line {n}')\nraise SystemExit(1)"), log=log)

    assert caught.value.what.splitlines()[1:] == [f"line {n}" for n in range(38, 50)]
    assert str(log) in caught.value.remedy


def test_only_this_runs_lines_are_told(tmp_path: Path):
    log = tmp_path / "log"
    log.write_text("No space left on device\n")

    with pytest.raises(UnreachableError, match="It printed nothing"):
        run(python("raise SystemExit(1)"), log=log)


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("mvn", "maven"),
        ("java", "default-jdk-headless"),
        ("/nowhere/initdb", "postgresql"),
        ("haproxy", "haproxy"),
    ],
)
def test_a_missing_program_is_told_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UnreachableError, match=f"{name} is not installed") as caught:
        run([name])

    assert caught.value.remedy == f"Install {package}."


def test_a_missing_directory_is_not_a_missing_program(tmp_path: Path):
    with pytest.raises(UnreachableError, match=r"absent: No such file or directory"):
        run(["true"], directory=tmp_path / "absent")


def test_a_file_that_is_no_program_is_told(tmp_path: Path):
    (tmp_path / "tool").write_text("text")

    with pytest.raises(UnreachableError, match=r"tool: Permission denied"):
        run([tmp_path / "tool"])


def test_a_log_that_cannot_be_opened_is_told(tmp_path: Path):
    with pytest.raises(UnreachableError, match=r"absent/log: No such file"):
        run(["true"], log=tmp_path / "absent" / "log")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_on_a_full_disk_is_told_and_stops_the_program():
    began = time.monotonic()

    with pytest.raises(UnreachableError, match="/dev/full: the disk is full"):
        run(
            python("import time; print('x', flush=True); time.sleep(60)"),
            log=Path("/dev/full"),
        )

    assert time.monotonic() - began < 30


def test_a_reader_that_fails_stops_the_program_and_its_children():
    seen: list[int] = []
    script = "import subprocess; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True)"

    def read(line: str) -> None:
        seen.append(int(line))
        raise LookupError

    with pytest.raises(LookupError):
        run(python(f"{script}; p.wait()"), each_line=read)

    wait_until_ended(seen[0])


def test_an_interruption_stops_the_program():
    seen: list[int] = []
    began = time.monotonic()
    here = threading.get_ident()

    def read(line: str) -> None:
        seen.append(int(line))
        threading.Timer(0.2, signal.pthread_kill, [here, signal.SIGINT]).start()

    with pytest.raises(KeyboardInterrupt):
        run(
            python("import os, time; print(os.getpid(), flush=True); time.sleep(60)"),
            each_line=read,
        )

    assert time.monotonic() - began < 30
    assert not is_running(seen[0])


def test_a_program_that_does_not_want_to_end_is_killed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fhirstack.bundle.programs._STOP_SECONDS", 0.2)
    seen: list[int] = []
    script = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"

    def read(line: str) -> None:
        seen.append(int(line))
        raise LookupError

    with pytest.raises(LookupError):
        run(python(f"{script}; print(os.getpid(), flush=True); time.sleep(60)"), each_line=read)

    assert not is_running(seen[0])


def test_the_last_lines_of_a_file(tmp_path: Path):
    path = tmp_path / "log"
    assert last_lines(path) == ""

    path.write_text("".join(f"{number}\n" for number in range(9000)))

    assert last_lines(path, 2) == "8998\n8999"


def test_another_disk_error_keeps_its_text(tmp_path: Path):
    error = disk_error(PermissionError(13, "Permission denied"), tmp_path, remedy="Ask.")

    assert str(error) == f"{tmp_path}: Permission denied\n  Ask."
