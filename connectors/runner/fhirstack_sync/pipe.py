"""The two connectors as processes: what the source says goes to the destination."""

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_RECORD = b'{"type":"RECORD"'
_STOP_SECONDS = 20
_BUFFER = 1 << 20
_LOG_BYTES = 5 << 20
"""Beyond this, what the connectors say on standard error begins a new file."""


class ConnectorError(Exception):
    """A connector failed; the text is what it said."""


@dataclass(frozen=True)
class Connector:
    """A connector: its Python and package, and its configuration file."""

    python: Path
    package: str
    config: Path


Heard = Callable[[str, Mapping[str, Any]], None]
"""Takes each message but the records, with who said it: ``source`` or ``destination``."""


def run(
    source: Connector,
    destination: Connector,
    *,
    catalog: Mapping[str, Any],
    state: list[dict[str, Any]],
    heard: Heard,
    log: Path,
) -> None:
    """Read and write until the source ends. Raises ConnectorError; nothing is left running.

    States that the destination says are committed: it says a state only then.
    """
    begun_anew = log.exists() and log.stat().st_size > _LOG_BYTES
    with (
        tempfile.TemporaryDirectory(prefix="sync-") as name,
        log.open("wb" if begun_anew else "ab") as errors,
    ):
        files = {key: Path(name, f"{key}.json") for key in ("catalog", "state")}
        files["catalog"].write_text(json.dumps(catalog), encoding="utf-8")
        files["state"].write_text(json.dumps(state), encoding="utf-8")
        common = ["--catalog", str(files["catalog"])]
        read = [*common, "--state", str(files["state"])]
        with (
            _started(source, ["read", *read], errors, subprocess.DEVNULL) as reader,
            _started(destination, ["write", *common], errors, subprocess.PIPE) as writer,
        ):
            _pump(reader, writer, heard)
            codes = {"destination": writer.wait(), "source": reader.wait()}
    # The destination first: when it ends early the source is stopped, which is no cause.
    ended = [f"{who} ended with {code}" for who, code in codes.items() if code]
    if ended:
        raise ConnectorError("; ".join(ended))


@contextmanager
def _started(
    connector: Connector, words: list[str], errors: IO[bytes], stdin: int
) -> Iterator[subprocess.Popen[bytes]]:
    # A connector needs its own variables only; ours may hold what is not for its logs.
    kept = ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR", "STACK_DIRECTORY")
    process = subprocess.Popen(
        [connector.python, "-m", connector.package, *words, "--config", connector.config],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=errors,
        bufsize=_BUFFER,
        env={key: os.environ[key] for key in kept if key in os.environ},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
        process.wait()


def _pump(reader: subprocess.Popen[bytes], writer: subprocess.Popen[bytes], heard: Heard) -> None:
    """Pass on what the source says; tell all messages but records. Two streams, two threads."""
    out, into, acknowledged = reader.stdout, writer.stdin, writer.stdout
    if out is None or into is None or acknowledged is None:
        raise ValueError("the connectors were not started with pipes")
    broken: list[BaseException] = []
    one_at_a_time = threading.Lock()

    def tell(who: str, line: bytes) -> None:
        with one_at_a_time:
            heard(who, _message(line))

    def forward() -> None:
        try:
            for line in out:
                if not line.endswith(b"\n"):
                    # Torn: the source was killed while it spoke.
                    break
                if not line.startswith(_RECORD):
                    tell("source", line)
                into.write(line)
        except BrokenPipeError:
            # The destination ended first: its own exit status says why.
            reader.terminate()
        except BaseException as error:
            broken.append(error)
            reader.terminate()
        finally:
            with suppress(BrokenPipeError):
                into.close()

    thread = threading.Thread(target=forward, name="forward")
    thread.start()
    try:
        for line in acknowledged:
            tell("destination", line)
    finally:
        if writer.poll() is not None:
            reader.terminate()
        thread.join()
    if broken:
        raise broken[0]


def _message(line: bytes) -> Mapping[str, Any]:
    """Return what a connector said; what is no message is a warning with its text."""
    try:
        message: Mapping[str, Any] = json.loads(line)
    except ValueError:
        text = line.decode(errors="replace").rstrip()
        return {"type": "LOG", "log": {"level": "WARN", "message": text}}
    return message
