"""The relay between real sockets: bytes both ways, the end, the delay's order, the cut."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fhirstack_lab import relay

RELAY = Path(relay.__file__)
SIZE = 3_000_000


@pytest.fixture
def echo():
    """A server that sends back what it has received."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            line, _ = server.accept()
            with line:
                while piece := line.recv(65536):
                    line.sendall(piece)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


@pytest.mark.parametrize("delay", ["0", "30"])
def test_all_bytes_come_back_and_the_end_too(echo, delay):
    sent = bytes(range(250)) * (SIZE // 250)
    done = subprocess.run(
        [sys.executable, RELAY, "127.0.0.1", str(echo)],
        input=sent,
        capture_output=True,
        check=True,
        timeout=30,
        env={"LAB_DELAY_MS": delay},
    )
    assert done.stdout == sent


def test_a_cut_ends_the_line(echo, tmp_path):
    cut = tmp_path / "cut"
    words = [sys.executable, RELAY, "127.0.0.1", str(echo), cut]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(b"hello")
        running.stdin.flush()
        assert running.stdout.read(5) == b"hello"
        cut.touch()
        assert running.wait(10) == 1
    again = subprocess.run(words, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert str(cut) in again.stderr


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = subprocess.run(
        [sys.executable, RELAY, "127.0.0.1", str(port)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"127.0.0.1 port {port}" in done.stderr
