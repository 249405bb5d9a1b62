"""Whatever ends, and whenever: nothing lost, nothing doubled."""

import contextlib
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psycopg
import pytest

LIMIT_SECONDS = 60
STATE_EVERY = 100


def history(make, events, seed):
    """Return lines with a state every so often, and what the table holds at the end.

    Ids come again and again: changed, unchanged, deleted.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    lines, expected = [], {}
    for number in range(events):
        key = f"p{chance.randrange(events // 4)}"
        if chance.random() < 0.2:
            lines.append(make.deletion(key))
            expected.pop(key, None)
        else:
            resource = {"v": chance.randrange(3), "text": "x" * chance.randrange(400)}
            lines.append(make.record(key, resource))
            expected[key] = resource
        if number % STATE_EVERY == STATE_EVERY - 1:
            lines.append(make.state(len(lines) + 1))
    return lines, expected


def feed(pipe, lines):
    """Write the lines; the reader may end at any time."""

    def write():
        with contextlib.suppress(BrokenPipeError, ValueError, OSError), pipe:
            for line in lines:
                pipe.write(line + b"\n")

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


def acknowledged(line):
    """Return the value of a state, or None for another message."""
    message = json.loads(line)
    if message["type"] != "STATE":
        return None
    return message["state"]["stream"]["stream_state"]["n"]


def table(site):
    return dict(site.query("SELECT id, resource FROM {}.patient"))


def test_killed_at_random_points(site, make):
    """The runner goes on from the last state that it was given, as the real one does."""
    site.options = {"batch_rows": 150, "lock_seconds": 30}
    lines, expected = history(make, 12_000, seed=1)
    chance = random.Random(2)  # noqa: S311 - repeatable, not secret
    done = kills = 0
    while True:
        after = chance.randrange(0, 18) if kills < 6 else len(lines)
        with site.start(make.catalog("patient"), subprocess.PIPE) as process:
            feeder = feed(process.stdin, lines[done:])
            for line in process.stdout:
                value = acknowledged(line)
                if value is None:
                    continue
                done = value
                after -= 1
                if after < 0:
                    time.sleep(chance.random() * 0.03)  # anywhere in the batches that follow
                    process.kill()
                    break
            process.wait(LIMIT_SECONDS)
            feeder.join()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        kills += 1
    assert kills == 6
    assert done == len(lines)
    assert table(site) == expected


def test_sigterm_ends_without_acknowledging_the_uncommitted(site, make):
    with site.start(make.catalog("patient"), subprocess.PIPE) as process:
        process.stdin.write(make.record("a") + b"\n" + make.state(1) + b"\n")
        process.stdin.flush()
        states = (acknowledged(line) for line in process.stdout)
        assert next(value for value in states if value is not None) == 1
        process.stdin.write(make.record("b") + b"\n")
        process.stdin.flush()
        process.terminate()
        rest = process.stdout.read()
        assert process.wait(LIMIT_SECONDS) == 128 + signal.SIGTERM
    assert b'"STATE"' not in rest
    assert b"Traceback" not in rest
    assert site.ids() == {"a"}


class Server:
    """A PostgreSQL of the test's own, which can be stopped, killed and started."""

    def __init__(self) -> None:
        self.programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
        self.home = Path(tempfile.mkdtemp(prefix="fhirstack-restart-"))
        self.account = {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam("nobody")
            self.account = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            os.chown(self.home, owner.pw_uid, owner.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"postgresql://test:trusted@127.0.0.1:{self.port}/postgres"
        initdb = [self.programs / "initdb", f"--pgdata={self.home / 'data'}", "--username=test"]
        initdb += ["--auth=trust", "--encoding=UTF8", "--no-sync"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=self.home, **self.account)
        self.process = None

    def start(self) -> None:
        """Start, and wait until it answers; after a kill, its old processes must end first."""
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "fsync": "off"}
        settings["unix_socket_directories"] = ""
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        command = [self.programs / "postgres", "-D", self.home / "data", *options]
        deadline = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                with (self.home / "log").open("ab") as log:
                    self.process = subprocess.Popen(
                        command, stderr=log, cwd=self.home, **self.account
                    )
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.url).close()
                return
            time.sleep(0.1)
        raise TimeoutError((self.home / "log").read_text())

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(LIMIT_SECONDS)


@pytest.fixture
def server():
    if not any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("no PostgreSQL server is installed under /usr/lib/postgresql")
    made = Server()
    made.start()
    yield made
    made.end(signal.SIGINT)
    shutil.rmtree(made.home)


def test_the_warehouse_restarts_in_the_middle(server, site, make):
    """It is killed, and then shut down and kept away for a while; the load goes on by itself."""
    site.url, site.options = server.url, {"batch_rows": 150}
    lines, expected = history(make, 12_000, seed=3)
    states, ends = [], {5: signal.SIGKILL, 40: signal.SIGINT, 60: signal.SIGKILL}
    text = b""
    with site.start(make.catalog("patient"), subprocess.PIPE) as process:
        feeder = feed(process.stdin, lines)
        for line in process.stdout:
            text += line
            value = acknowledged(line)
            if value is None:
                continue
            states.append(value)
            if len(states) in ends:
                server.end(ends[len(states)])
                server.start()
        feeder.join()
        assert process.wait(LIMIT_SECONDS) == 0
    assert b"the warehouse is away" in text
    assert states == sorted(set(states))
    assert states[-1] == len(lines)
    assert table(site) == expected


def test_a_warehouse_that_stays_away_is_an_error(server, site, make, read):
    site.url, site.options = server.url, {"retry_seconds": 1, "batch_rows": 1}
    lines = []
    for number in range(5):
        lines += [make.record(f"p{number}"), make.state(number)]
    messages = site.writing(lines)
    seen = [next(messages)]
    while not read.states(seen):
        seen.append(next(messages))
    before = site.ids()
    server.end(signal.SIGINT)
    with pytest.raises(Exception, match="Check that PostgreSQL is up"):
        seen.extend(messages)
    server.start()
    assert read.states(seen) == [0]
    assert site.ids() == before != {f"p{number}" for number in range(5)}
