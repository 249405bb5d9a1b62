"""The connector as a process: killed at any point, and its output torn nowhere."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from source_fhir_harness import Connector
from source_fhir_server import Server, hang

PACKAGE = Path(__file__).parents[2] / "source-fhir"


def start(arguments: list[str], **more: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "source_fhir", *arguments],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(PACKAGE), "PYTHONWARNINGS": "ignore"},
        **more,
    )


def arguments(connector: Connector, *streams: str, state: Any = None) -> list[str]:
    connector.config["resource_types"] = ["Patient", "Observation"]
    return connector.arguments("read", streams, state, "incremental")


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_killed_at_any_point_and_resumed_nothing_is_lost(
    server: Server, connector: Connector, sign: signal.Signals
) -> None:
    """A destination commits what came before a STATE, and the rest is lost with the process."""
    server.fill(150)
    server.fill(150, "Observation")
    server.fault(hang(0.0), times=10, on=lambda h: h.is_next and random.random() < 0.02)  # noqa: S311
    committed: set[tuple[str, str]] = set()
    states: dict[str, Any] = {}
    killed = 0
    for limit in (random.randint(1, 8), random.randint(1, 8), 10_000):  # noqa: S311
        command = arguments(connector, "patient", "observation", state=list(states.values()))
        process = start(command)
        assert process.stdout
        pending: set[tuple[str, str]] = set()
        seen_states = 0
        for line in process.stdout:
            if not line.endswith(b"\n"):
                break
            message = json.loads(line)
            if message["type"] == "RECORD":
                record = message["record"]
                pending.add((record["stream"], record["data"]["id"]))
            if message["type"] == "STATE":
                name = message["state"]["stream"]["stream_descriptor"]["name"]
                committed |= {x for x in pending if x[0] == name}
                states[name] = message["state"]
                seen_states += 1
                if seen_states == limit:
                    process.send_signal(sign)
        process.stdout.close()
        killed += process.wait() == -sign
    assert killed == 2
    expected = {("patient", f"p{n:05d}") for n in range(150)}
    expected |= {("observation", f"o{n:05d}") for n in range(150)}
    assert committed == expected


def test_every_line_is_a_message_and_the_exit_tells_of_failure(
    server: Server, connector: Connector
) -> None:
    server.fill(300)
    server.state.forbidden = {"Observation"}
    process = start(arguments(connector, "patient", "observation"))
    output, _ = process.communicate()
    messages = [json.loads(x) for x in output.splitlines()]
    assert len([x for x in messages if x["type"] == "RECORD"]) == 300
    assert process.returncode == 1
    errors = [x["trace"]["error"] for x in messages if x.get("trace", {}).get("type") == "ERROR"]
    assert "403" in errors[0]["message"]
    assert errors[-1]["message"] == "These streams could not be read to their end: observation"


def test_a_reader_that_goes_away_ends_the_process(server: Server, connector: Connector) -> None:
    server.fill(3000)
    for id in list(server.state.resources["Patient"]):
        server.put(id, 1, data="x" * 2000)
    process = start(arguments(connector, "patient"), stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    process.stderr.read()
    process.stderr.close()
    assert process.wait() != 0


def test_memory_does_not_grow_with_the_store(server: Server, connector: Connector) -> None:
    """180 MB pass in two streams through a process that must stay below 120 MB."""
    for number in range(6000):
        server.put(f"p{number}", number, data="x" * 15_000)
        server.put(f"o{number}", number, "Observation", data="x" * 15_000)
    connector.config["page_size"] = 250
    process = start(arguments(connector, "patient", "observation"))
    assert process.stdout
    size = peak = 0
    for line in process.stdout:
        size += len(line)
        if b'"STATE"' in line:
            peak = max(peak, high_water(process.pid))
    process.stdout.close()
    assert process.wait() == 0
    assert size > 180_000_000
    assert 0 < peak < 120 * 1024


def high_water(pid: int) -> int:
    """The most memory that a process had, in KiB; 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(found.group(1)) if found else 0
