"""Sets Superset up: ``python -m fhirstack_superset --config setup.json [--check]``.

Prints one JSON object. Ends with 0 (done, or nothing to do), 1 (``--check`` found differences)
or 2 (failed). With nothing to do it imports nothing of Superset, and ends at once.
"""

import argparse
import contextlib
import json
import sys
from pathlib import Path

import psycopg2

from fhirstack_superset import records, settings, sources
from fhirstack_superset.changes import compare
from fhirstack_superset.changes import sources as wanted_from
from fhirstack_superset.clock import Clock, peak_mib

_LOCK = 7_310_415_001
"""PostgreSQL's advisory lock: one set-up of a database at a time."""


def main() -> int:
    """Compare, then put right or only tell."""
    parser = argparse.ArgumentParser(prog="fhirstack_superset", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--check", action="store_true", help="only tell what would change")
    arguments = parser.parse_args()
    clock = Clock()
    with clock("total"):
        configuration = settings.read(arguments.config)
        assets = sources.read(configuration)
        wanted = wanted_from(assets, sources.superset_version(), sources.program_digest())
        own = configuration.metadata
        with contextlib.closing(
            psycopg2.connect(
                host=own.host,
                port=own.port,
                dbname=own.database,
                user=own.role,
                password=own.password,
                application_name="superset set-up",
                connect_timeout=10,
            )
        ) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            if not arguments.check:
                cursor.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            changes = compare(wanted, *records.observe(cursor))
            kept = []
            if changes and not arguments.check:
                # Superset prints what it likes; our answer is the only thing on this stream.
                with contextlib.redirect_stdout(sys.stderr):
                    from fhirstack_superset.converge import converge  # noqa: PLC0415

                    kept = converge(changes, assets, wanted, clock)
    report = {
        "changes": [change.as_json() for change in changes],
        "kept": [change.as_json() for change in kept],
        "seconds": clock.seconds,
        "peak_mib": peak_mib(),
    }
    print(json.dumps(report, indent=2))
    return 1 if arguments.check and changes else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception as error:
        import traceback

        traceback.print_exc()
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
        sys.exit(2)
