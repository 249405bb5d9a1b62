"""The artifacts that local mode runs: Keycloak built once, our Java servers, system programs."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fhirstack.bundle import environments
from fhirstack.bundle.cache import cache_directory, digest_of, once
from fhirstack.bundle.maven import MAVEN, check_libraries, download
from fhirstack.bundle.pins import maven_pin
from fhirstack.bundle.programs import not_installed, run
from fhirstack.errors import UnreachableError
from fhirstack.model.site import Environment, WebService
from fhirstack.services import fhir_web, keycloak

JAVA_OLDEST = 17
REPOSITORY = Path(__file__).resolve().parents[3]
"""The clone: the Java modules are built from it."""


@dataclass(frozen=True)
class Artifact:
    """Something to run: where it is or will be, and how it is made if it is not of the system.

    ``place`` raises UnreachableError for a system program that is missing or too old.
    """

    name: str
    title: str
    place: Callable[[], Path]
    make: Callable[[Path, Path], None] | None = None
    service: WebService | None = None
    """The service that alone needs it; None: it is always needed."""

    def get(self) -> Path:
        """Return its place, made if need be: downloaded, built, checked."""
        place = self.place()
        return once(place.name, self.make) if self.make else place


def java() -> Path:
    """Return the ``java`` to run with. Raises UnreachableError where none is new enough."""
    found = shutil.which("java")
    if not found:
        raise not_installed("java")
    path = Path(found).resolve()
    major = _java_major(path)
    if major < JAVA_OLDEST:
        raise UnreachableError(
            f"Java {major} is too old: {JAVA_OLDEST} or newer is needed",
            where=found,
            remedy="Install default-jdk-headless, or put a newer java first on PATH.",
        )
    return path


def _java_major(path: Path) -> int:
    """Return a Java's version: from the file beside it, else by asking it, which takes longer."""
    release = path.parents[1] / "release"
    if release.is_file():
        text = release.read_text(encoding="utf-8").replace("JAVA_VERSION=", "version ")
    else:
        text = subprocess.run(
            [path, "-version"], capture_output=True, text=True, check=False
        ).stderr
    match = re.search(r'version "(\d+)', text)
    return int(match[1]) if match else 0


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


def _keycloak_place() -> Path:
    pin = maven_pin("keycloak")
    key = digest_of(pin.sha256.encode(), *(option.encode() for option in keycloak.BUILD_OPTIONS))
    return cache_directory() / f"keycloak-{pin.version}-{key}"


def _make_keycloak(directory: Path, log: Path) -> None:
    """Download Keycloak, unpack it, and build it with our options."""
    archive = download(maven_pin("keycloak"), directory, log=log)
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


def _java_module(name: str, title: str) -> Artifact:
    """Return a Java module of this repository; made, it has ``<name>.jar`` and ``lib/``."""
    source = REPOSITORY / "java" / name

    def place() -> Path:
        """Name it by all that it is built from."""
        tops = [source / "pom.xml", source / "libraries.sha256", *(source / "src/main").rglob("*")]
        parts = [
            part
            for path in sorted(tops)
            if path.is_file()
            for part in (str(path.relative_to(source)).encode(), path.read_bytes())
        ]
        return cache_directory() / f"{name}-{digest_of(*parts)}"

    def make(directory: Path, log: Path) -> None:
        work = directory / "work"
        shutil.copytree(source, work, ignore=shutil.ignore_patterns("target"))
        run([*MAVEN, "-DskipTests", "package"], log=log, directory=work)
        (work / "target" / f"{name}.jar").rename(directory / f"{name}.jar")
        (work / "target" / "lib").rename(directory / "lib")
        check_libraries(directory / "lib", source / "libraries.sha256")
        shutil.rmtree(work)

    return Artifact(name, title, place, make)


def _environment(
    name: str, title: str, service: WebService, sdists: tuple[str, ...] = ()
) -> Artifact:
    """Return a Python environment with what ``requirements/<name>.txt`` locks."""
    locks = REPOSITORY / "requirements"
    place, make = environments.python_environment(
        name, locks / f"{name}.txt", build=locks / "build.txt", sdists=sdists
    )
    return Artifact(name, title, place, make, service)


def _copied(name: str, title: str, service: WebService, sources: dict[str, str]) -> Artifact:
    """Return a copy of directories of this repository."""
    place, make = environments.copied(
        name, {top: REPOSITORY / path for top, path in sources.items()}
    )
    return Artifact(name, title, place, make, service)


def needed(environment: Environment) -> tuple[Artifact, ...]:
    """Return the artifacts that an environment's services need."""
    found = tuple(a for a in CATALOGUE if a.service is None or environment.runs(a.service))
    if fhir_web.reason(environment) is None:
        found += (Artifact(fhir_web.NODE, "Node.js", lambda: program("node")),)
    return found


CATALOGUE: tuple[Artifact, ...] = (
    Artifact("java", "Java", java),
    Artifact("postgresql", "PostgreSQL", postgresql),
    Artifact("redis", "Redis", lambda: program("redis-server")),
    Artifact("haproxy", "HAProxy", lambda: program("haproxy")),
    Artifact("keycloak", "Keycloak", _keycloak_place, _make_keycloak),
    _java_module("fhir-server", "FHIR server"),
    _java_module("fhir-gateway", "FHIR gateway"),
    _environment("connectors", "Airbyte connectors", "airbyte"),
    _environment("dbt", "dbt", "airbyte"),
    _copied(
        "pipelines",
        "pipelines",
        "airbyte",
        {
            "source-fhir": "connectors/source-fhir",
            "destination-warehouse": "connectors/destination-warehouse",
            "runner": "connectors/runner",
            "dbt": "analytics/dbt",
        },
    ),
    _environment("superset", "Superset", "superset", sdists=("wtforms-json",)),
    _copied(
        "superset-assets",
        "dashboards",
        "superset",
        {
            "fhirstack_superset": "analytics/superset/fhirstack_superset",
            "assets": "analytics/superset/assets",
        },
    ),
)
"""Everything that local mode may run."""
