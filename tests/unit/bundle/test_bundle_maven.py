import hashlib
from pathlib import Path

import pytest

from fhirstack.bundle.maven import check_libraries, download, download_libraries
from fhirstack.bundle.pins import MavenPin, maven_pin, version
from fhirstack.errors import UnreachableError

SHA256 = hashlib.sha256(b"jar").hexdigest()

MAVEN = """
import pathlib, sys
print(*sys.argv[1:])
folder = next(a.split("=", 1)[1] for a in sys.argv if a.startswith("-DoutputDirectory="))
pathlib.Path(folder, "thing-1.2.jar").write_bytes(b"jar")
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    place = tmp_path / "target"
    place.mkdir()
    return place


def test_the_pins():
    keycloak = maven_pin("keycloak")

    assert keycloak.file_name == f"keycloak-quarkus-dist-{keycloak.version}.tar.gz"
    assert len(keycloak.sha256) == 64
    assert version("synthea") == "3.3.0"
    assert version("maven-dependency-plugin").count(".") == 2


def test_a_download_is_checked(program, tmp_path: Path, target: Path):
    program("mvn", MAVEN)

    path = download(MavenPin("org.example:thing:1.2", SHA256), target, log=tmp_path / "log")

    assert path == target / "thing-1.2.jar"
    words = (tmp_path / "log").read_text().split()
    plugin = version("maven-dependency-plugin")
    assert f"org.apache.maven.plugins:maven-dependency-plugin:{plugin}:copy" in words
    assert "-Dartifact=org.example:thing:1.2" in words
    assert "--strict-checksums" in words


def test_another_file_than_the_pinned_one_is_refused(program, tmp_path: Path, target: Path):
    program("mvn", MAVEN)

    with pytest.raises(UnreachableError, match=r"org.example:thing:1.2: wrong checksum"):
        download(MavenPin("org.example:thing:1.2", "0" * 64), target, log=tmp_path / "log")


def test_a_download_that_failed_is_told(program, tmp_path: Path, target: Path):
    program("mvn", "print('Could not find artifact x in central'); raise SystemExit(1)")

    with pytest.raises(UnreachableError, match="not in the Maven repository"):
        download(MavenPin("org.example:thing:1.2", SHA256), target, log=tmp_path / "log")


def test_libraries_are_those_of_the_lock(program, tmp_path: Path, target: Path):
    program("mvn", MAVEN)
    lock = tmp_path / "libraries.sha256"
    lock.write_text(f"{SHA256}  thing-1.2.jar\n")

    download_libraries(
        tmp_path / "pom.xml", {"thing.version": "1.2"}, lock, target, log=tmp_path / "log"
    )

    words = (tmp_path / "log").read_text().split()
    assert {"-Dthing.version=1.2", f"--file={tmp_path}/pom.xml"} <= set(words)


@pytest.mark.parametrize(
    ("lock", "named"),
    [
        (f"{SHA256}  a.jar\n", "b.jar"),
        (f"{SHA256}  a.jar\n{SHA256}  b.jar\n{SHA256}  c.jar\n", "c.jar"),
        (f"{SHA256}  a.jar\n{'0' * 64}  b.jar\n", "b.jar"),
    ],
    ids=["not locked", "missing", "altered"],
)
def test_a_library_that_is_not_the_locked_one_is_named(
    tmp_path: Path, target: Path, lock: str, named: str
):
    for name in ("a.jar", "b.jar"):
        (target / name).write_bytes(b"jar")
    (tmp_path / "lock").write_text(lock)

    with pytest.raises(UnreachableError, match=f"1 libraries are not the locked ones: {named}"):
        check_libraries(target, tmp_path / "lock")
