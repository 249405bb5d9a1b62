"""Runs programs of the machine. One that fails becomes an error with its last lines."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from fhirstack_lab.say import LabError

Words = Sequence[str | Path]


def run(
    words: Words,
    *,
    remedy: str = "",
    text: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program and return its standard output. Raises LabError."""
    command = [str(word) for word in words]
    try:
        result = subprocess.run(
            command,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
    except FileNotFoundError as error:
        raise LabError(f"the program {error.filename} is missing", remedy) from error
    if result.returncode:
        tail = "\n".join(
            f"    {line}" for line in (result.stderr + result.stdout).splitlines()[-8:]
        )
        shown = " ".join(str(word) for word in words)[:200]
        raise LabError(f"`{shown}` failed ({result.returncode}):\n{tail}", remedy)
    return result.stdout


def succeeds(words: Words) -> bool:
    """Tell whether a program ends with 0."""
    command = [str(word) for word in words]
    return not subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False
    ).returncode


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file with its directories; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text(text, encoding="utf-8")
    part.chmod(mode)
    part.replace(path)
