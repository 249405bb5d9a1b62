"""Copies of programs and Python environments: named by their content, made once."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fhirstack.bundle import artifacts
from fhirstack.bundle.cache import once
from fhirstack.bundle.environments import copied, python_environment


@pytest.fixture
def sources(tmp_path: Path, cache: Path) -> dict[str, Path]:
    """Two directories of programs, with what working on them leaves behind."""
    one, two = tmp_path / "one", tmp_path / "two"
    for path, text in {
        one / "package/__init__.py": "",
        one / "package/program.py": "print(1)\n",
        one / "package/__pycache__/program.pyc": "compiled",
        one / ".pytest_cache/x": "left",
        one / "package/.hidden": "left",
        two / "models/a.sql": "select 1\n",
        two / "target/manifest.json": "made",
        two / "logs/dbt.log": "made",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {"first": one, "second": two}


def names(directory: Path) -> set[str]:
    return {str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file()}


def test_a_copy_has_the_programs_and_not_what_work_left_behind(sources: dict[str, Path]):
    place, make = copied("programs", sources)
    made = once(place().name, make)
    assert made == place()
    assert names(made) == {
        "first/package/__init__.py",
        "first/package/program.py",
        "second/models/a.sql",
    }
    assert (made / "first/package/program.py").read_text() == "print(1)\n"


def edited(sources: dict[str, Path]) -> None:
    (sources["first"] / "package/program.py").write_text("print(2)\n")


def added(sources: dict[str, Path]) -> None:
    (sources["second"] / "models/b.sql").write_text("")


def renamed(sources: dict[str, Path]) -> None:
    (sources["second"] / "models/a.sql").rename(sources["second"] / "models/c.sql")


def moved(sources: dict[str, Path]) -> None:
    (sources["second"] / "models/a.sql").rename(sources["first"] / "a.sql")


@pytest.mark.parametrize("change", [edited, added, renamed, moved])
def test_other_content_has_another_place(
    sources: dict[str, Path], change: Callable[[dict[str, Path]], None]
):
    place, _ = copied("programs", sources)
    before = place()
    change(sources)
    assert place() != before


def test_what_work_leaves_behind_does_not_change_the_place(sources: dict[str, Path]):
    place, _ = copied("programs", sources)
    before = place()
    (sources["first"] / "package/__pycache__/program.pyc").write_text("compiled again")
    (sources["second"] / "target/run_results.json").write_text("made")
    (sources["second"] / "logs/dbt.log").write_text("more")
    assert place() == before


def test_every_copied_program_of_the_catalogue_is_there():
    for artifact in artifacts.CATALOGUE:
        if artifact.service is not None:
            assert artifact.place().name.startswith(f"{artifact.name}-")


@pytest.fixture
def locks(tmp_path: Path, cache: Path) -> tuple[Path, Path]:
    lock, build = tmp_path / "one.txt", tmp_path / "build.txt"
    lock.write_text("# nothing\n")
    build.write_text("# nothing\n")
    return lock, build


def test_another_lock_is_another_environment(locks: tuple[Path, Path]):
    lock, build = locks
    place, _ = python_environment("one", lock, build=build)
    before = place()
    build.write_text("# other tools\n")
    assert place() == before
    lock.write_text("# something\n")
    assert place() != before


def test_the_tools_count_where_something_is_built(locks: tuple[Path, Path]):
    lock, build = locks
    place, _ = python_environment("one", lock, build=build, sdists=("thing",))
    plain, _ = python_environment("one", lock, build=build)
    before = place()
    assert before != plain()
    build.write_text("# other tools\n")
    assert place() != before


def test_an_environments_programs_begin_with_the_place_that_it_got(locks: tuple[Path, Path]):
    """It is made under another name: no file of it may name that one."""
    lock, build = locks
    place, make = python_environment("one", lock, build=build)
    made = once(place().name, make)
    assert not list(made.parent.glob(".one-*.part"))
    said = subprocess.run(
        [made / "bin/pip", "--version"], capture_output=True, text=True, check=True
    )
    assert str(made) in said.stdout
    for path in [made / "pyvenv.cfg", *(made / "bin").iterdir()]:
        if path.is_file() and not path.is_symlink():
            assert b"/.one-" not in path.read_bytes(), path
