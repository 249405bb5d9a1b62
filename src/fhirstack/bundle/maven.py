"""What the Maven client fetches for us, each file checked against a pin or a lock."""

from collections.abc import Mapping
from pathlib import Path

from fhirstack.bundle.cache import file_sha256
from fhirstack.bundle.pins import MavenPin, version
from fhirstack.bundle.programs import run
from fhirstack.errors import UnreachableError

MAVEN = ("mvn", "--batch-mode", "--quiet", "--no-transfer-progress", "--strict-checksums")
_REMEDY = (
    "The download was altered or damaged: remove it from the local Maven repository and run it"
    " again."
)


def download(pin: MavenPin, directory: Path, *, log: Path) -> Path:
    """Fetch a file into a directory and check it. Raises UnreachableError."""
    options = (f"-Dartifact={pin.coordinates}", f"-DoutputDirectory={directory}")
    run([*MAVEN, _dependency("copy"), *options], log=log, directory=directory)
    path = directory / pin.file_name
    found = file_sha256(path)
    if found != pin.sha256:
        raise UnreachableError(
            f"wrong checksum: {found[:16]}…, pinned is {pin.sha256[:16]}…",
            where=pin.coordinates,
            remedy=_REMEDY,
        )
    return path


def download_libraries(
    pom: Path, properties: Mapping[str, str], lock: Path, directory: Path, *, log: Path
) -> None:
    """Fetch all that a POM names into a directory and check each file with its lock file.

    ``properties`` are those that the POM leaves open. Raises UnreachableError.
    """
    options = ["-DincludeScope=runtime", f"-DoutputDirectory={directory}"]
    options += [f"-D{name}={value}" for name, value in properties.items()]
    goal = _dependency("copy-dependencies")
    run([*MAVEN, f"--file={pom}", goal, *options], log=log, directory=directory)
    check_libraries(directory, lock)


def check_libraries(directory: Path, lock: Path) -> None:
    """Compare every library in a directory with its lock file. Raises UnreachableError."""
    lines = (line.split(maxsplit=1) for line in lock.read_text(encoding="utf-8").splitlines())
    locked = {name: checksum for checksum, name in lines}
    found = {path.name: file_sha256(path) for path in directory.iterdir()}
    wrong = sorted(
        name for name in found.keys() | locked.keys() if found.get(name) != locked.get(name)
    )
    if wrong:
        raise UnreachableError(
            f"{len(wrong)} libraries are not the locked ones: {', '.join(wrong[:5])}",
            where=str(lock),
            remedy="A download was altered, or a version was changed without scripts/lock.",
        )


def _dependency(goal: str) -> str:
    plugin = "org.apache.maven.plugins:maven-dependency-plugin"
    return f"{plugin}:{version('maven-dependency-plugin')}:{goal}"
