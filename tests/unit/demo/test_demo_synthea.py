import hashlib
from pathlib import Path

import pytest

from fhirstack.demo import Options, patients
from fhirstack.demo.synthea import LOCK, arguments, libraries, population
from fhirstack.errors import UnreachableError, UsageError

SYNTHEA = """
import pathlib, sys
if sys.argv[1:] == ["-version"]:
    sys.stderr.write('openjdk version "17.0.1"')
    sys.exit()
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
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pretended jar the locked one."""
    lock = tmp_path / "libraries.sha256"
    lock.write_text(f"{hashlib.sha256(b'jar').hexdigest()}  synthea-3.3.0.jar\n")
    monkeypatch.setattr("fhirstack.demo.synthea.LOCK", lock)


def entries(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir() if path.suffix != ".lock" and path.name != "log"]


def test_everything_that_runs_is_locked_and_the_same_on_each_kind_of_machine():
    locked = dict(reversed(line.split()) for line in LOCK.read_text().splitlines())

    assert "synthea-3.3.0.jar" in locked
    assert all(len(checksum) == 64 for checksum in locked.values())
    assert not [name for name in locked if "x86" in name]


def test_all_that_decides_the_patients_is_fixed():
    words = arguments(50, 7, Options(), Path("/out"))

    assert words[:12] == [
        *("-p", "50", "-s", "7", "-cs", "7", "-r", "20260101", "-e", "20260101"),
        *("-a", "0-60"),
    ]
    assert "--generate.only_alive_patients=true" in words
    assert "--generate.thread_pool_size=1" in words
    assert "--exporter.baseDirectory=/out/" in words


@pytest.mark.usefixtures("locked", "cache")
def test_files_come_in_the_order_of_generation_and_once(program):
    program("mvn", MAVEN)
    program("java", SYNTHEA.replace("DEAD", "0"))
    calls: list[tuple[str, int, int | None]] = []

    files = population(3, 1, progress=lambda *call: calls.append(call))
    program("java", "raise SystemExit(9)")

    assert [file.read_text() for file in files] == ["1", "2", "3"]
    assert [file.name for file in files] == ["000000-8.json", "000001-7.json", "000002-6.json"]
    assert population(3, 1) == files
    assert calls[0] == ("Downloading Synthea", 0, None)
    assert calls[-1] == ("Making patients", 3, 3)


@pytest.mark.usefixtures("locked", "cache")
def test_another_seed_number_or_option_is_another_population(program):
    program("mvn", MAVEN)
    program("java", SYNTHEA.replace("DEAD", "0"))

    folders = {
        population(number, seed, options)[0].parent
        for number, seed, options in (
            (2, 1, Options()),
            (3, 1, Options()),
            (2, 2, Options()),
            (2, 1, Options(ages="0-5")),
            (2, 1, Options(memory="2g")),
        )
    }

    assert len(folders) == 4


@pytest.mark.usefixtures("locked")
def test_the_dead_are_not_patients(cache: Path, program):
    program("mvn", MAVEN)
    program("java", SYNTHEA.replace("DEAD", "1"))

    with pytest.raises(UnreachableError, match="3 patients of whom 1 are dead"):
        population(3, 1)
    assert [name.split("-")[0] for name in entries(cache)] == ["synthea"]


def test_another_jar_than_the_locked_one_is_refused(cache: Path, program):
    program("mvn", MAVEN)

    with pytest.raises(UnreachableError, match="libraries are not the locked ones"):
        libraries()
    assert entries(cache) == []


def test_why_a_program_failed_is_told(cache: Path, program):
    program("mvn", "print('java.io.IOException: No space left on device'); raise SystemExit(1)")

    with pytest.raises(UnreachableError, match="the disk is full"):
        libraries()
    assert entries(cache) == []


@pytest.mark.usefixtures("cache")
def test_a_missing_program_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UnreachableError, match="mvn is not installed"):
        libraries()


@pytest.mark.usefixtures("cache")
def test_no_patients_is_wrong_usage():
    with pytest.raises(UsageError):
        population(0, 1)


def test_nothing_runs_before_the_first_bundle_is_asked_for(cache: Path):
    patients(3, 1)

    assert not cache.exists()
