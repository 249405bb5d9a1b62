"""The artifacts that local mode runs: Keycloak built once, our Java servers, system programs."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fhirstack.bundle.cache import digest_of, once
from fhirstack.bundle.maven import MAVEN, check_libraries, download
from fhirstack.bundle.pins import maven_pin
from fhirstack.bundle.programs import not_installed, run
from fhirstack.errors import UnreachableError
from fhirstack.services import keycloak

JAVA_OLDEST = 17
REPOSITORY = Path(__file__).resolve().parents[3]
"""The clone: the Java modules are built from it."""


@dataclass(frozen=True)
class Artifact:
    """Something to run: its name, how long making it may take, and how to get it."""

    name: str
    title: str
    make: Callable[[], Path]


def java() -> Path:
    """Return the ``java`` to run with. Raises UnreachableError where none is new enough."""
    found = shutil.which("java")
    if not found:
        raise not_installed("java")
    text = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(\d+)(?:\.(\d+))?', text)
    major = int(match[1]) if match else 0
    if major < JAVA_OLDEST:
        raise UnreachableError(
            f"Java {major} is too old: {JAVA_OLDEST} or newer is needed",
            where=found,
            remedy="Install default-jdk-headless, or put a newer java first on PATH.",
        )
    return Path(found).resolve()


def postgresql() -> Path:
    """Return the directory of the newest PostgreSQL server of the system's packages (>= 14)."""
    homes = {
        int(path.name): path
        for path in Path("/usr/lib/postgresql").glob("*")
        if path.name.isdigit() and (path / "bin/postgres").exists()
    }
    if not homes or max(homes) < 14:
        raise UnreachableError(
            "no PostgreSQL server of version 14 or newer", remedy="Install postgresql."
        )
    return homes[max(homes)]


def program(name: str) -> Path:
    """Return the path of a system program, looked for where administrators' programs lie too."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not found:
        raise not_installed(name)
    return Path(found)


def keycloak_server() -> Path:
    """Return Keycloak, downloaded, unpacked and built with our options."""
    pin = maven_pin("keycloak")
    key = digest_of(pin.sha256.encode(), *(option.encode() for option in keycloak.BUILD_OPTIONS))

    def make(directory: Path, log: Path) -> None:
        archive = download(pin, directory, log=log)
        run(
            ["tar", "--extract", "--no-same-owner", "--strip-components=1", "--file", archive],
            log=log,
            directory=directory,
        )
        archive.unlink()
        run(
            [directory / "bin/kc.sh", "build", *keycloak.BUILD_OPTIONS],
            log=log,
            environment={"JAVA": str(java()), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        )

    return once(f"keycloak-{pin.version}-{key}", make)


def java_module(name: str) -> Path:
    """Return a Java module of this repository, built: ``<name>.jar`` and ``lib/``."""
    source = REPOSITORY / "java" / name
    files = sorted(
        path for top in ("pom.xml", "src/main") for path in _tree(source / top) if path.is_file()
    )
    parts = [part for f in files for part in (str(f.relative_to(source)).encode(), f.read_bytes())]

    def make(directory: Path, log: Path) -> None:
        work = directory / "work"
        shutil.copytree(source, work, ignore=shutil.ignore_patterns("target"))
        run([*MAVEN, "-DskipTests", "package"], log=log, directory=work)
        (work / "target" / f"{name}.jar").rename(directory / f"{name}.jar")
        (work / "target" / "lib").rename(directory / "lib")
        check_libraries(directory / "lib", source / "libraries.sha256")
        shutil.rmtree(work)

    return once(f"{name}-{digest_of(*parts)}", make)


def _tree(path: Path) -> list[Path]:
    return [path] if path.is_file() else list(path.rglob("*"))


CATALOGUE: tuple[Artifact, ...] = (
    Artifact("java", "Java", java),
    Artifact("postgresql", "PostgreSQL", postgresql),
    Artifact("redis", "Redis", lambda: program("redis-server")),
    Artifact("haproxy", "HAProxy", lambda: program("haproxy")),
    Artifact("keycloak", "Keycloak", keycloak_server),
    Artifact("fhir-server", "FHIR server", lambda: java_module("fhir-server")),
    Artifact("fhir-gateway", "FHIR gateway", lambda: java_module("fhir-gateway")),
)
