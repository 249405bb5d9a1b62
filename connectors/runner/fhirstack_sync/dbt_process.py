"""Runs under dbt's own Python: makes the models, then tests them, in one process.

One start and one reading of the project serve both. Arguments: the directory of dbt's target,
``full`` or ``changed``, then dbt's common options. The results of the two steps are kept in the
target as ``run.json`` and ``test.json``; it ends with 2 when dbt itself broke.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner


def main() -> int:
    """Parse, run, test. A test that fails is a result, not an error."""
    target, how, *options = sys.argv[1:]
    parsed = dbtRunner().invoke(["parse", *options])
    if not parsed.success:
        return _broken(parsed)
    dbt = dbtRunner(manifest=parsed.result)
    refresh = ["--full-refresh"] if how == "full" else []
    for step, words in (("run", refresh), ("test", ["--exclude-resource-type", "unit_test"])):
        done = dbt.invoke([step, *options, *words])
        if done.exception is not None:
            return _broken(done)
        shutil.copyfile(Path(target, "run_results.json"), Path(target, f"{step}.json"))
        if step == "run" and not done.success:
            break
    return 0


def _broken(done: Any) -> int:
    print(done.exception or "dbt failed", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
