"""Python environments and copied programs: artifacts that are made from files of this repository.

A service runs under an account that may not enter the clone, so its programs are copied to the
cache, named by their content.
"""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from fhirstack.bundle.cache import cache_directory, digest_of
from fhirstack.bundle.programs import run

SYSTEM_PYTHON = Path("/usr/bin/python3")
_PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes")
_IGNORED = ("__pycache__", "target", "logs", ".*")

Place = Callable[[], Path]
Make = Callable[[Path, Path], None]


def python_environment(
    name: str, lock: Path, *, build: Path, sdists: tuple[str, ...] = ()
) -> tuple[Place, Make]:
    """Return where a locked Python environment is or will be, and how it is made.

    pip checks every file's hash. ``sdists`` are published as sources only: they are built with
    the locked tools of ``build``, and nothing else is.
    """

    def place() -> Path:
        version = SYSTEM_PYTHON.resolve().name.encode()
        parts = [lock.read_bytes(), version, *(s.encode() for s in sdists)]
        if sdists:
            parts.append(build.read_bytes())
        return cache_directory() / f"{name}-{digest_of(*parts)}"

    def make(directory: Path, log: Path) -> None:
        python = directory / "bin/python"
        run([SYSTEM_PYTHON, "-m", "venv", directory], log=log)
        only_wheels = ["--no-deps", "--only-binary=:all:"]
        if sdists:
            run([python, *_PIP, *only_wheels, "--requirement", build], log=log)
            only_wheels += [f"--no-binary={','.join(sdists)}", "--no-build-isolation"]
            only_wheels += ["--use-pep517"]
        run([python, *_PIP, *only_wheels, "--requirement", lock], log=log)
        _move(directory, place())

    return place, make


def _move(directory: Path, final: Path) -> None:
    """Make an environment name the place that it will get: its programs begin with its path."""
    old, new = str(directory).encode(), str(final).encode()
    for path in [directory / "pyvenv.cfg", *(directory / "bin").iterdir()]:
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if old in content:
                path.write_bytes(content.replace(old, new))


def copied(name: str, sources: dict[str, Path]) -> tuple[Place, Make]:
    """Return where copies of directories are or will be, below these names, and how to copy."""

    def place() -> Path:
        parts = [
            part
            for top, source in sorted(sources.items())
            for path in _files(source)
            for part in (f"{top}/{path.relative_to(source)}".encode(), path.read_bytes())
        ]
        return cache_directory() / f"{name}-{digest_of(*parts)}"

    def make(directory: Path, log: Path) -> None:
        for top, source in sources.items():
            shutil.copytree(source, directory / top, ignore=shutil.ignore_patterns(*_IGNORED))

    return place, make


def _files(source: Path) -> Iterable[Path]:
    ignored = shutil.ignore_patterns(*_IGNORED)
    for directory, folders, names in os.walk(source):
        skipped = ignored(directory, [*folders, *names])
        folders[:] = sorted(set(folders) - skipped)
        yield from (Path(directory, name) for name in sorted(set(names) - skipped))
