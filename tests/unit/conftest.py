"""A cache of the test's own, and Python scripts in place of programs."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Program = Callable[[str, str], Path]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Put a Python script in place of a program."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def install(name: str, script: str) -> Path:
        file = folder / name
        file.write_text(f"#!/usr/bin/env python3\n{script}")
        file.chmod(0o755)
        return file

    return install


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache's directory, which is not there yet."""
    place = tmp_path / "cache"
    monkeypatch.setenv("FHIRSTACK_CACHE", str(place))
    return place
