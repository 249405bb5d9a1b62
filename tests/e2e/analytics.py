"""What the store and the warehouse hold, exactly, and the processes of a run."""

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from psycopg import sql

from fhirstack.model.records import TYPES
from fhirstack.planes.local import processes, sync
from fhirstack.services import pipelines, superset, warehouse
from tests.e2e.conftest import REPOSITORY
from tests.e2e.keycloak import platform_of
from tests.e2e.waiting import until

RUNNER, SOURCE, DESTINATION = "fhirstack_sync", "source_fhir", "destination_warehouse"
PAGE = 500


def exact(text):
    """Read JSON with its numbers as they are written: 1.10 is not 1.1."""
    return json.loads(text, parse_float=Decimal)


def query(cli, statement, *values, database=warehouse.NAME):
    """Ask a database of the stack as its administrator."""
    with platform_of(cli).superuser(database) as connection:
        found = connection.execute(statement, values)
        return found.fetchall() if found.description else []


def raw(kind):
    return sql.Identifier(warehouse.RAW, pipelines.table_of(kind))


def versions(cli):
    """Return the version of each raw row: another one was written anew."""
    return {
        (kind, *row)
        for kind in TYPES
        for row in query(
            cli, sql.SQL("SELECT id, xmin::text, _airbyte_extracted_at FROM {}").format(raw(kind))
        )
    }


def carried(cli, kind):
    rows = query(cli, sql.SQL("SELECT id, resource::text FROM {}").format(raw(kind)))
    return {name: exact(text) for name, text in rows}


def stored(fhir, kind):
    """Return every resource of a type, from the FHIR server itself."""
    found = {}
    url = f"/{kind}?_count={PAGE}&_sort=_id"
    while url:
        answer = fhir.get(url, headers={"Cache-Control": "no-cache"})
        assert answer.status_code == 200, answer.text
        bundle = exact(answer.text)
        found |= {e["resource"]["id"]: e["resource"] for e in bundle.get("entry", [])}
        url = next((x["url"] for x in bundle["link"] if x["relation"] == "next"), None)
    return found


def assert_equal(cli):
    """The warehouse holds what the store holds, in every field, and nothing else."""
    with platform_of(cli).fhir() as fhir:
        for kind in TYPES:
            held, here = stored(fhir, kind), carried(cli, kind)
            assert held.keys() == here.keys(), kind
            differing = [name for name in held if held[name] != here[name]]
            assert differing == [], kind


def write(cli, *resources):
    """Write resources to the FHIR server itself, with the ids that they have."""
    entries = [
        {"resource": r, "request": {"method": "PUT", "url": f"{r['resourceType']}/{r['id']}"}}
        for r in resources
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    with platform_of(cli).fhir() as fhir:
        answer = fhir.post("", json=bundle)
        assert answer.status_code == 200, answer.text


def last_run(cli):
    """Return the newest run: its id, status, whether it was full, and its error."""
    (run,) = query(
        cli,
        "SELECT id, status, full_refresh, coalesce(error, '') FROM sync.runs"
        " ORDER BY id DESC LIMIT 1",
    )
    return run


def pids(cli, package):
    """Return the stack's processes that run a Python package; not those of the schedule."""
    found = []
    for process in processes.of_stack(cli.stack.root):
        try:
            words = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if package.encode() in words and b"schedule" not in words:
            found.append(process.pid)
    return found


def assert_nothing_runs(cli):
    """Nothing of a run is left, or what is left is ending."""
    for package in (RUNNER, SOURCE, DESTINATION):
        until(lambda package=package: not pids(cli, package), f"{package} has ended", limit=30)


def interrupted_sync(cli, act):
    """Run everything anew, and act when some types are read and most are not.

    Returns what the run said last. Raises UnreachableError for one that broke off.
    """
    events = sync.run(platform_of(cli), full=True)
    told, last = 0, {}
    try:
        for event in events:
            last = event
            told += event["event"] == "progress"
            # Each type tells of its beginning and its end.
            if event["event"] == "progress" and told == len(TYPES):
                act()
    finally:
        events.close()
    assert told >= len(TYPES)
    return last


def start(cli, *words):
    """Start a command as a person would at a terminal: with a process group of its own."""
    return subprocess.Popen(
        [str(REPOSITORY / "fhirstack"), *words, "--name", cli.name],
        env=cli.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill(pid):
    os.kill(pid, signal.SIGKILL)


@contextmanager
def no_schedule(cli):
    """Hold the scheduled runner still, so that only the test's own runs run."""
    if cli.status()[pipelines.NAME]["pid"]:
        cli.supervisor.stop(pipelines.NAME)
    try:
        yield
    finally:
        if not cli.status()[pipelines.NAME]["pid"]:
            cli.supervisor.start(pipelines.NAME)


def superset_query(cli, statement, *values):
    return query(cli, statement, *values, database=superset.DATABASE.name)
