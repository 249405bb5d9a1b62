"""``python -m fhirstack_sync run|schedule --config FILE``: events as JSON lines on stdout.

Exit codes: 0 all is in the warehouse; 1 something of it failed; 3 another run did not end, or
the warehouse cannot be reached; 130 interrupted.
"""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg

from fhirstack_sync import sync
from fhirstack_sync.config import load
from fhirstack_sync.schedule import keep_running
from fhirstack_sync.store import BusyError


def emit(event: Mapping[str, Any]) -> None:
    """Print an event at once: somebody watches."""
    print(json.dumps(event), flush=True)


def main() -> int:
    """Run once, or again and again."""
    parser = argparse.ArgumentParser(prog="fhirstack_sync")
    parser.add_argument("verb", choices=("run", "schedule"))
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--full", action="store_true", help="Read everything again")
    parser.add_argument("--wait", type=int, default=600, help="Seconds to wait for another run")
    options = parser.parse_args()
    config = load(options.config)
    stop = threading.Event()

    def stopped(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stopped)
    try:
        if options.verb == "schedule":
            keep_running(config, emit, stop)
            return 0
        outcome = sync.run(config, emit, full=options.full, wait_seconds=options.wait)
    except KeyboardInterrupt:
        return 0 if options.verb == "schedule" else 130
    except (BusyError, psycopg.OperationalError) as error:
        emit({"event": "unreachable", "error": str(error).strip()})
        return 3
    return 0 if outcome.status == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
