"""Measures ``sync``: first load, increment and an empty one, beside the floor and PyAirbyte.

Two roads. ``gateway``: the real FHIR server behind gateway and edge, which are most of the work.
``pages``: the same pages kept in files and served at no cost, which shows what the connectors
themselves take. On a stack made for it: its warehouse is emptied.
"""

import argparse
import datetime
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from bench.memory import Watch
from fhirstack.bundle.artifacts import REPOSITORY
from fhirstack.bundle.cache import once
from fhirstack.bundle.environments import python_environment
from fhirstack.model.records import TYPES
from fhirstack.planes.local.platform import Platform, existing, open_platform
from fhirstack.planes.local.runtime import Runtime
from fhirstack.services import pipelines, warehouse

RESULTS = Path(__file__).parent / "results"
BASELINE = Path(__file__).parent / "baselines"
CHANGED = 1000


def main() -> None:
    """Measure, print, keep the raw data."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--name", default="bench", help="the stack: its warehouse is emptied")
    options.add_argument("--least", type=int, default=200_000, help="resources that it must hold")
    options.add_argument("--without-pyairbyte", action="store_true")
    chosen = options.parse_args()
    platform = open_platform(existing(chosen.name))
    held = _held(platform)
    if held < chosen.least:
        sys.exit(
            f"{chosen.name} holds {held} resources, {chosen.least} are needed:"
            f" ./fhirstack demo load --name {chosen.name} --patients {chosen.least // 60}"
        )
    with _schedule_stopped(platform.runtime), tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        found = {"resources in the store": held, "load": os.getloadavg()[0]}
        with _served(directory) as port:
            base = f"http://127.0.0.1:{port}/fhir"
            real = _source(platform, directory, None)
            floor = _floor(platform, real, keep=directory / "pages", at=base)
            found["gateway"] = {"floor": [floor], **_gateway(platform, directory, real)}
            found["pages"] = _pages(platform, directory, base, chosen.without_pyairbyte)
    _report(found)
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    path = RESULTS / f"sync-{stamp}.json"
    path.write_text(json.dumps(found, indent=1) + "\n")
    print(f"raw data: {path}")


def _gateway(platform: Platform, directory: Path, source: Path) -> dict[str, Any]:
    """Measure with the FHIR server: loads, and increments of a store that changes."""
    runner = _runner(platform, directory, source)
    _empty(platform)
    found: dict[str, Any] = {"first load": _sync(platform, runner)}
    # What was written shortly before the first load is read again, once.
    found["increment after it"] = _sync(platform, runner)
    found["empty increment"] = [_sync(platform, runner) for _ in range(3)]
    _change(platform)
    found[f"increment of {CHANGED}"] = _sync(platform, runner)
    return found


def _pages(
    platform: Platform, directory: Path, base: str, without_pyairbyte: bool
) -> dict[str, Any]:
    """Measure with kept pages: what source, runner and destination take themselves."""
    source = _source(platform, directory, base)
    runner = _runner(platform, directory, source)
    found: dict[str, Any] = {"floor": [_floor(platform, source)]}
    _empty(platform)
    found["first load"] = _sync(platform, runner)
    found["floor"].append(_floor(platform, source))
    if not without_pyairbyte:
        found["PyAirbyte"] = _pyairbyte(platform, directory, source, runner)
    return found


def _held(platform: Platform) -> int:
    with platform.fhir() as fhir:
        counts = [fhir.get(f"/{kind}", params={"_summary": "count"}).json() for kind in TYPES]
    return sum(int(count["total"]) for count in counts)


@contextmanager
def _schedule_stopped(runtime: Runtime) -> Iterator[None]:
    runtime.supervisor.stop(pipelines.NAME)
    try:
        yield
    finally:
        runtime.supervisor.start(pipelines.NAME)


def _source(platform: Platform, directory: Path, kept: str | None) -> Path:
    path = Path(platform.context.config(pipelines.NAME, "source.json"))
    if kept is None:
        return path
    config = json.loads(path.read_text()) | {"base_url": kept, "auth": {"type": "none"}}
    return _written(directory / "source.json", config, platform)


def _runner(platform: Platform, directory: Path, source: Path) -> Path:
    """Return a configuration of the runner that loads only: dbt is not measured here."""
    path = Path(platform.context.config(pipelines.NAME, "sync.json"))
    config = json.loads(path.read_text()) | {"source": str(source), "transformation": None}
    return _written(directory / "sync.json", config, platform)


def _written(path: Path, config: dict[str, Any], platform: Platform) -> Path:
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    os.chown(path, platform.owner.uid, platform.owner.gid)
    return path


def _floor(
    platform: Platform, source: Path, *, keep: Path | None = None, at: str = ""
) -> dict[str, Any]:
    command = [str(platform.context.artifacts[pipelines.PYTHON] / "bin/python")]
    command += ["-m", "bench.sync_floor", "--config", str(source)]
    if keep:
        command += ["--keep", str(keep), "--served-at", at]
    return _last(_watched(command, {"PYTHONPATH": str(REPOSITORY)}))


def _sync(platform: Platform, runner: Path) -> dict[str, Any]:
    command, environment = pipelines.process(platform.context, "run")
    words = [w if not w.startswith("--config=") else f"--config={runner}" for w in command]
    found = _last(_watched(words, environment, platform))
    if found["status"] != "ok":
        sys.exit(f"a run failed: {found['error']}")
    return found


def _pyairbyte(platform: Platform, directory: Path, source: Path, runner: Path) -> dict[str, Any]:
    place, make = python_environment("pyairbyte", BASELINE / "pyairbyte.txt", build=Path())
    python = once(place().name, make) / "bin/python"
    command, environment = pipelines.process(platform.context, "run")
    program = directory / "source-fhir"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH={environment["PYTHONPATH"]} exec {command[0]} -m source_fhir "$@"\n'
    )
    program.chmod(0o755)
    words = [str(python), str(BASELINE / "pyairbyte_load.py")]
    words += [str(path) for path in (directory, program, source, runner)]
    found = _last(_watched(words, {"HOME": str(directory)}))
    with _loader(platform) as connection:
        connection.execute("DROP SCHEMA pyairbyte CASCADE")
    shutil.rmtree(directory / "cache", ignore_errors=True)
    return found


def _watched(
    command: list[str], environment: dict[str, str], platform: Platform | None = None
) -> tuple[str, float, Watch]:
    """Run to its end; return what it printed, the seconds, and the memory."""
    as_owner = platform.owner.process_options if platform else {}
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **environment},
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        **as_owner,
    )
    with Watch(process.pid) as watch:
        printed, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{printed[-2000:]}")
    return printed, time.perf_counter() - began, watch


def _last(watched: tuple[str, float, Watch]) -> dict[str, Any]:
    printed, wall, watch = watched
    found = json.loads(printed.splitlines()[-1])
    found.pop("streams", None)
    parts = {name: size // 2**20 for name, size in watch.parts.items()}
    return {**found, "wall": wall, "peak_mib": watch.peak // 2**20, "peak_mib_of": parts}


@contextmanager
def _served(directory: Path) -> Iterator[int]:
    """Serve the pages of a directory from a process of its own."""
    pages = directory / "pages"
    pages.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "bench.sync_pages", str(port), str(pages)]
    server = subprocess.Popen(command)
    try:
        yield port
    finally:
        server.terminate()
        server.wait()


def _loader(platform: Platform) -> psycopg.Connection[tuple[Any, ...]]:
    config = json.loads(Path(platform.context.config(pipelines.NAME, "sync.json")).read_text())
    found = config["warehouse"]
    return psycopg.connect(
        host=found["host"],
        port=found["port"],
        dbname=found["database"],
        user=found["username"],
        password=Path(found["password_file"]).read_text(),
        autocommit=True,
    )


def _empty(platform: Platform) -> None:
    with _loader(platform) as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", [warehouse.RAW]
        ).fetchall()
        tables = [sql.Identifier(warehouse.RAW, str(row[0])) for row in rows]
        if tables:
            connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(tables)))
        connection.execute("DELETE FROM sync.state")


def _change(platform: Platform) -> None:
    """Change some resources: each gets a new version."""
    with platform.fhir() as fhir:
        changed = 0
        url: str | None = "/Observation?_count=200&_sort=_id"
        while url and changed < CHANGED:
            page = fhir.get(url).raise_for_status().json()
            entries = []
            for entry in page["entry"]:
                resource = entry["resource"]
                resource.setdefault("note", []).append({"text": "changed by a measurement"})
                address = f"Observation/{resource['id']}"
                entries.append({"resource": resource, "request": {"method": "PUT", "url": address}})
            bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
            fhir.post("", json=bundle).raise_for_status()
            changed += len(entries)
            links = {link["relation"]: link["url"] for link in page["link"]}
            url = links.get("next")


def _report(found: dict[str, Any]) -> None:
    for road in ("gateway", "pages"):
        measured = found[road]
        floor = min(run["seconds"] for run in measured["floor"])
        print(f"\n{road}: floor {floor:.1f} s")
        for name, value in measured.items():
            for run in value if isinstance(value, list) else [value]:
                rate = run["resources"] / run["seconds"]
                print(
                    f"  {name:<22}{run['resources']:>9,} {run['wall']:>8.1f} s {rate:>8,.0f}/s"
                    f"  ÷ floor {run['seconds'] / floor:>5.2f} {run['peak_mib']:>5} MiB"
                )


if __name__ == "__main__":
    main()
