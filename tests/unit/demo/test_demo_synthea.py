import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fhirstack.demo import Options
from fhirstack.demo.pins import pins
from fhirstack.demo.synthea import arguments, download, population
from fhirstack.errors import UnreachableError, UsageError

Program = Callable[[str, str], None]

SYNTHEA = """
import pathlib, sys
values = dict(a[2:].split("=", 1) for a in sys.argv if a.startswith("--"))
patients = int(sys.argv[sys.argv.index("-p") + 1])
folder = pathlib.Path(values["exporter.baseDirectory"]) / "fhir"
folder.mkdir(parents=True)
for number in range(1, patients + 1):
    file = folder / f"{9 - number}.json"
    file.write_text(str(number))
    __import__("os").utime(file, ns=(number * 10**9, number * 10**9))
    print(f"{number} -- Ada Example (3 y/o F) Boston, Massachusetts  (12)")
print(f"Records: total={patients}, alive={patients - DEAD}, dead={DEAD}")
"""

MAVEN = """
import pathlib, sys
folder = next(a.split("=", 1)[1] for a in sys.argv if a.startswith("-DoutputDirectory="))
pathlib.Path(folder, "synthea-3.3.0.jar").write_bytes(b"jar")
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Put a Python script in place of mvn or java."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def install(name: str, script: str) -> None:
        file = folder / name
        file.write_text(f"#!/usr/bin/env python3\n{script}")
        file.chmod(0o755)

    return install


@pytest.fixture
def jar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the checksum of the pretended jar the pinned one."""
    pin = pins()["synthea"]
    changed = {
        **pins(),
        "synthea": type(pin)(pin.coordinates, pin.version, hashlib.sha256(b"jar").hexdigest()),
    }
    monkeypatch.setattr("fhirstack.demo.synthea.pins", lambda: changed)


def test_the_jar_is_pinned_by_version_and_checksum():
    pin = pins()["synthea"]

    assert (pin.group, pin.artifact, pin.version) == ("org.mitre.synthea", "synthea", "3.3.0")
    assert len(pin.sha256) == 64


def test_all_that_decides_the_patients_is_fixed():
    words = arguments(50, 7, Options(), Path("/out"))

    assert words[:12] == [
        *("-p", "50", "-s", "7", "-cs", "7", "-r", "20260101", "-e", "20260101"),
        *("-a", "0-60"),
    ]
    assert "--generate.only_alive_patients=true" in words
    assert "--generate.thread_pool_size=1" in words
    assert "--exporter.baseDirectory=/out/" in words


@pytest.mark.usefixtures("jar")
def test_files_come_in_the_order_of_generation_and_once(tmp_path: Path, program: Program):
    program("mvn", MAVEN)
    program("java", SYNTHEA.replace("DEAD", "0"))
    calls: list[tuple[str, int, int | None]] = []

    files = population(tmp_path / "cache", 3, 1, progress=lambda *call: calls.append(call))
    program("java", "raise SystemExit(9)")

    assert [file.read_text() for file in files] == ["1", "2", "3"]
    assert [file.name for file in files] == ["000000-8.json", "000001-7.json", "000002-6.json"]
    assert population(tmp_path / "cache", 3, 1) == files
    assert calls[0] == ("Downloading Synthea", 0, None)
    assert calls[-1] == ("Making patients", 3, 3)


@pytest.mark.usefixtures("jar")
def test_another_seed_number_or_option_is_another_population(tmp_path: Path, program: Program):
    program("mvn", MAVEN)
    program("java", SYNTHEA.replace("DEAD", "0"))

    folders = {
        population(tmp_path, patients, seed, options)[0].parent
        for patients, seed, options in (
            (2, 1, Options()),
            (3, 1, Options()),
            (2, 2, Options()),
            (2, 1, Options(ages="0-5")),
            (2, 1, Options(memory="2g")),
        )
    }

    assert len(folders) == 4


@pytest.mark.usefixtures("jar")
def test_the_dead_are_not_patients(tmp_path: Path, program: Program):
    program("mvn", MAVEN)
    program("java", SYNTHEA.replace("DEAD", "1"))

    with pytest.raises(UnreachableError, match="3 patients of whom 1 are dead"):
        population(tmp_path, 3, 1)
    assert [path.name for path in (tmp_path / "synthea").iterdir()] == ["3.3.0-jars"]


def test_another_jar_than_the_pinned_one_is_refused(tmp_path: Path, program: Program):
    program("mvn", MAVEN)

    with pytest.raises(UnreachableError, match=r"synthea-3.3.0.jar: its SHA-256 is"):
        download(tmp_path)
    assert list((tmp_path / "synthea").iterdir()) == []


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("Could not transfer artifact x from/to central: Unknown host", "cannot be reached"),
        ("java.io.IOException: No space left on device", "the disk is full"),
        ("Could not find artifact x in central", "not in the Maven repository"),
        ("Exception: java.lang.OutOfMemoryError", "not enough memory"),
        ("Something else", "Something else"),
    ],
)
def test_why_a_program_failed_is_told(tmp_path: Path, program: Program, output: str, told: str):
    program("mvn", f"print({output!r}); raise SystemExit(1)")

    with pytest.raises(UnreachableError, match=told):
        download(tmp_path)
    assert list((tmp_path / "synthea").iterdir()) == []


def test_a_missing_program_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UnreachableError, match="mvn is not installed"):
        download(tmp_path)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path):
    (tmp_path / "synthea").write_text("a file")

    with pytest.raises(UnreachableError, match=r"synthea.*exists|Not a directory"):
        download(tmp_path)


def test_no_patients_is_wrong_usage(tmp_path: Path):
    with pytest.raises(UsageError):
        population(tmp_path, 0, 1)
