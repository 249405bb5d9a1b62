"""The transformation: dbt's run and tests on what was loaded."""

import hashlib
import json
import subprocess
from dataclasses import dataclass
from typing import Any

from fhirstack_sync.config import Transformation

_LAST_LINES = 30


class TransformationError(Exception):
    """A model could not be made; the text names it and says why."""


@dataclass(frozen=True)
class Tested:
    """How many models were made and tests passed; what failed and what was warned of."""

    models: int
    passed: int
    failed: tuple[str, ...]
    warned: tuple[str, ...]


def revision(transformation: Transformation) -> str:
    """Return a digest of the project and its variables: another one needs another run."""
    digest = hashlib.sha256(json.dumps(dict(transformation.variables), sort_keys=True).encode())
    for path in sorted(transformation.project.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(transformation.project)).encode() + b"\0")
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def run(transformation: Transformation, *, full: bool) -> Tested:
    """Make all models, then test them; with ``full`` from nothing, not from what changed.

    Raises TransformationError if a model fails.
    """
    refresh = ["--full-refresh"] if full else []
    results = _dbt(transformation, "run", *refresh)
    made = [result for result in results if result["unique_id"].startswith("model.")]
    broken = [result for result in results if result["status"] not in ("success", "skipped")]
    if broken:
        raise TransformationError(
            "; ".join(f"{_name(result)}: {result['message']}" for result in broken[:3])
        )
    tested = _dbt(transformation, "test", "--exclude-resource-type", "unit_test")
    by_status: dict[str, list[str]] = {}
    for result in (r for r in tested if r["unique_id"].startswith("test.")):
        by_status.setdefault(result["status"], []).append(_name(result))
    passed = len(by_status.pop("pass", []))
    warned = by_status.pop("warn", [])
    failed = [name for names in by_status.values() for name in names]
    return Tested(len(made), passed, tuple(failed), tuple(warned))


def _dbt(transformation: Transformation, verb: str, *arguments: str) -> list[dict[str, Any]]:
    results = transformation.target / "run_results.json"
    results.unlink(missing_ok=True)
    transformation.target.mkdir(parents=True, exist_ok=True)
    finished = subprocess.run(
        [
            transformation.command,
            "--no-use-colors",
            "--log-path",
            transformation.target / "log",
            verb,
            "--project-dir",
            transformation.project,
            "--profiles-dir",
            transformation.profiles,
            "--target-path",
            transformation.target,
            "--vars",
            json.dumps(dict(transformation.variables)),
            *arguments,
        ],
        cwd=transformation.target,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    # dbt ends with 1 also for a test that failed; what it wrote tells the two apart.
    if finished.returncode not in (0, 1) or not results.exists():
        raise TransformationError(_last(finished.stdout))
    found: list[dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))["results"]
    return found


def _name(result: dict[str, Any]) -> str:
    return str(result["unique_id"]).split(".", 2)[-1]


def _last(output: str) -> str:
    return "\n".join(output.splitlines()[-_LAST_LINES:])
