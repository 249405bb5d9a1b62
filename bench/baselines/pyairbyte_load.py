"""The baseline: PyAirbyte with the same source, into a schema of its own of the same warehouse.

Runs with the Python of ``bench/baselines/pyairbyte.txt``. Arguments: a directory to work in, a
program that is the source, the source's configuration, and the runner's configuration.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ["AIRBYTE_OFFLINE_MODE"] = "1"
os.environ["DO_NOT_TRACK"] = "1"
SCHEMA = "pyairbyte"


def main() -> None:
    """Load every stream; print records and seconds."""
    import airbyte  # noqa: PLC0415 - after the switches that it reads when it is imported
    from airbyte.caches import PostgresCache  # noqa: PLC0415

    directory, program, source, runner = (Path(word) for word in sys.argv[1:5])
    warehouse = json.loads(runner.read_text())["warehouse"]
    cache = PostgresCache(
        host=warehouse["host"],
        port=warehouse["port"],
        username=warehouse["username"],
        password=Path(warehouse["password_file"]).read_text().strip(),
        database=warehouse["database"],
        schema_name=SCHEMA,
        cache_dir=directory / "cache",
    )
    found = airbyte.get_source(
        "source-fhir", local_executable=program, config=json.loads(source.read_text())
    )
    found.select_all_streams()
    began = time.perf_counter()
    result = found.read(cache=cache)
    seconds = time.perf_counter() - began
    print(json.dumps({"resources": result.processed_records, "seconds": seconds}))


if __name__ == "__main__":
    main()
