"""Synthea: gets it from Maven Central, and has it make patients, once for each set of options.

Both results are kept in the cache.
"""

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from fhirstack.bundle.artifacts import java
from fhirstack.bundle.cache import digest_of, once
from fhirstack.bundle.maven import download_libraries
from fhirstack.bundle.pins import version
from fhirstack.bundle.programs import run
from fhirstack.demo.fhir import Progress, silent
from fhirstack.demo.tagging import KEPT_TYPES
from fhirstack.errors import UnreachableError, UsageError

POM = Path(__file__).with_name("pom.xml")
LOCK = Path(__file__).with_name("libraries.sha256")

_PATIENT = re.compile(r"^(\d+) -- ")
_RECORDS = re.compile(r"^Records: total=(\d+), alive=(\d+), dead=(\d+)")
_WHERE = "Synthea"


@dataclass(frozen=True)
class Options:
    """What, besides seed and number, decides the patients.

    ``reference_date`` is the day on which the simulation ends, as YYYYMMDD: without it Synthea
    ends today, and the same seed gives other patients tomorrow. ``ages`` keeps out the very old,
    whose records are ten times a child's. ``memory`` bounds Java's heap.
    """

    reference_date: str = "20260101"
    ages: str = "0-60"
    years_of_history: int = 1
    memory: str = "1g"


DEFAULT_OPTIONS = Options()


def arguments(patients: int, seed: int, options: Options, output: Path) -> list[str]:
    """Return Synthea's arguments.

    ``only_alive_patients`` makes ``-p`` the exact number of files: without it the dead come on
    top. One thread writes the files in the order of generation, in which a larger number begins
    with the smaller number's patients; two are no faster on two cores (see docs/demo.md).
    """
    settings = {
        "exporter.baseDirectory": f"{output}/",
        "exporter.fhir.export": "true",
        "exporter.fhir.transaction_bundle": "true",
        "exporter.fhir.use_us_core_ig": "false",
        "exporter.fhir.included_resources": ",".join(KEPT_TYPES),
        "exporter.hospital.fhir.export": "false",
        "exporter.practitioner.fhir.export": "false",
        "exporter.metadata.export": "false",
        "exporter.enable_custom_exporters": "false",
        "exporter.pretty_print": "false",
        "exporter.use_uuid_filenames": "true",
        "exporter.years_of_history": str(options.years_of_history),
        "generate.only_alive_patients": "true",
        "generate.append_numbers_to_person_names": "false",
        "generate.thread_pool_size": "1",
    }
    date, number = options.reference_date, str(seed)
    return [
        *("-p", str(patients), "-s", number, "-cs", number),
        *("-r", date, "-e", date, "-a", options.ages),
        *(f"--{name}={value}" for name, value in settings.items()),
        "Massachusetts",
    ]


def population(
    patients: int,
    seed: int,
    options: Options = DEFAULT_OPTIONS,
    progress: Progress = silent,
) -> list[Path]:
    """Return the files of exactly ``patients`` living patients, in Synthea's order.

    What is in the cache already is used again. Raises UsageError for a number below 1 and
    UnreachableError when Maven, Java, the network or the disk fails.
    """
    if patients < 1:
        raise UsageError("the number of patients is at least 1", where=_WHERE)

    def make(directory: Path, log: Path) -> None:
        output = directory / "output"
        output.mkdir()
        _generate(output, patients, seed, options=options, log=log, progress=progress)
        files = (output / "fhir").glob("*.json")
        for index, file in enumerate(sorted(files, key=_written)):
            file.rename(directory / f"{index:06d}-{file.name}")
        shutil.rmtree(output)

    place = once(_name(patients, seed, options), make)
    files = sorted(place.glob("*.json"))
    if len(files) != patients:
        raise UnreachableError(
            f"{len(files)} files instead of {patients}", where=str(place), remedy="Delete it."
        )
    return files


def libraries(progress: Progress = silent) -> Path:
    """Return the directory with Synthea's jar and all that it needs, each as it is locked."""
    number = version("synthea")

    def make(directory: Path, log: Path) -> None:
        progress("Downloading Synthea", 0, None)
        download_libraries(POM, {"synthea.version": number}, LOCK, directory, log=log)

    return once(f"synthea-{number}-{digest_of(POM.read_bytes(), LOCK.read_bytes())}", make)


def _name(patients: int, seed: int, options: Options) -> str:
    shape = {**asdict(options), "arguments": arguments(patients, seed, options, Path("out"))}
    del shape["memory"]
    digest = digest_of(json.dumps(shape, sort_keys=True).encode())
    return f"patients-{version('synthea')}-{seed}-{patients}-{digest}"


def _generate(
    output: Path, patients: int, seed: int, *, options: Options, log: Path, progress: Progress
) -> None:
    jars = libraries(progress)
    memory = [f"-Xmx{options.memory}", "-Dfile.encoding=UTF-8"]
    locale = ["-Duser.timezone=UTC", "-Duser.language=en", "-Duser.country=US"]
    main = ["-cp", f"{jars}/*", "App"]
    report = _Report(patients, progress)
    run(
        [java(), *memory, *locale, *main, *arguments(patients, seed, options, output)],
        log=log,
        directory=output,
        environment={**os.environ, "TZ": "UTC"},
        each_line=report,
    )
    if report.dead or report.total != patients:
        raise UnreachableError(
            f"made {report.total} patients of whom {report.dead} are dead, "
            f"not {patients} living ones",
            where=_WHERE,
        )


def _written(file: Path) -> tuple[int, str]:
    return file.stat().st_mtime_ns, file.name


class _Report:
    """Reads Synthea's output."""

    def __init__(self, patients: int, progress: Progress) -> None:
        self.total = self.dead = 0
        self._patients = patients
        self._progress = progress
        progress("Making patients", 0, patients)

    def __call__(self, line: str) -> None:
        if patient := _PATIENT.match(line):
            self._progress("Making patients", int(patient[1]), self._patients)
        elif records := _RECORDS.match(line):
            self.total, self.dead = int(records[1]), int(records[3])
