"""The transformation: dbt's run and tests on what was loaded."""

import hashlib
import json
import subprocess
from dataclasses import dataclass
from typing import Any

from fhirstack_sync.config import Transformation

Results = list[dict[str, Any]]

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
    results, tested = _dbt(transformation, full=full)
    made = [result for result in results if result["unique_id"].startswith("model.")]
    broken = [result for result in results if result["status"] not in ("success", "skipped")]
    if broken:
        raise TransformationError(
            "; ".join(f"{_name(result)}: {result['message']}" for result in broken[:3])
        )
    by_status: dict[str, list[str]] = {}
    for result in (r for r in tested if r["unique_id"].startswith("test.")):
        by_status.setdefault(result["status"], []).append(_name(result))
    passed = len(by_status.pop("pass", []))
    warned = by_status.pop("warn", [])
    failed = [name for names in by_status.values() for name in names]
    return Tested(len(made), passed, tuple(failed), tuple(warned))


def _dbt(transformation: Transformation, *, full: bool) -> tuple[Results, Results]:
    """Return the results of the models and of the tests, as dbt wrote them."""
    target = transformation.target
    target.mkdir(parents=True, exist_ok=True)
    kept = {step: target / f"{step}.json" for step in ("run", "test")}
    for path in kept.values():
        path.unlink(missing_ok=True)
    finished = subprocess.run(
        [
            *(transformation.python, "-m", "fhirstack_sync.dbt_process"),
            *(target, "full" if full else "changed"),
            "--no-use-colors",
            f"--project-dir={transformation.project}",
            f"--profiles-dir={transformation.profiles}",
            f"--target-path={target}",
            f"--log-path={transformation.log}",
            f"--vars={json.dumps(dict(transformation.variables))}",
        ],
        cwd=target,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if finished.returncode or not kept["run"].exists():
        raise TransformationError(_last(finished.stdout))
    found = [
        json.loads(path.read_text(encoding="utf-8"))["results"] if path.exists() else []
        for path in kept.values()
    ]
    return found[0], found[1]


def _name(result: dict[str, Any]) -> str:
    return str(result["unique_id"]).split(".", 2)[-1]


def _last(output: str) -> str:
    return "\n".join(output.splitlines()[-_LAST_LINES:])
