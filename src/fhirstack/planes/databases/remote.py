"""PostgreSQL of a host: a private socket on this machine that leads to the host's own, over SSH.

On a host the administrator of PostgreSQL has neither password nor address: the host's account
``postgres`` gets in, by the host's own socket (``peer``), and nobody else. For each connection a
relay is started there under that account; it ends with the connection.
"""

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

from fhirstack.errors import UnreachableError
from fhirstack.planes.databases import Connection, connect
from fhirstack.planes.hosts.ssh import Connections
from fhirstack.services.postgresql import SUPERUSER

_PORT = 5432
_OPTIONS = ("-T", "-o", "BatchMode=yes")
_END_SECONDS = 10.0
_RELAY = f"""
import os, select, socket, sys
line = socket.socket(socket.AF_UNIX)
try:
    line.connect("/var/run/postgresql/.s.PGSQL.{_PORT}")
except OSError as error:
    sys.exit(f"its socket: {{error.strerror}}")
while True:
    ready = select.select([0, line], [], [])[0]
    if 0 in ready:
        piece = os.read(0, 65536)
        if not piece:
            break
        line.sendall(piece)
    if line in ready:
        piece = line.recv(65536)
        if not piece:
            break
        while piece:
            piece = piece[os.write(1, piece):]
"""


class Server:
    """The PostgreSQL of a host, while ``reached`` holds it open."""

    def __init__(self, host: str, directory: Path) -> None:
        self.host = host
        self._directory = directory

    def open(self, database: str = "postgres") -> Connection:
        """Open an administrator's connection; the caller closes it. Raises UnreachableError."""
        try:
            return connect(str(self._directory), _PORT, SUPERUSER, None, database)
        except UnreachableError as error:
            said = (self._directory / "log").read_text(errors="replace").strip().splitlines()
            raise UnreachableError(
                f"its PostgreSQL does not answer: {said[0] if said else error.what}",
                where=self.host,
                remedy="first make the host what is declared: `fhirstack apply`",
            ) from error


@contextmanager
def reached(connections: Connections, host: str) -> Iterator[Server]:
    """Lead a socket to a host's PostgreSQL; all that was started for it ends with the block."""
    user = connections.targets[host].user
    switch = (
        ["runuser", "-u", SUPERUSER, "--"] if user == "root" else ["sudo", "-n", "-u", SUPERUSER]
    )
    words = connections.command(host, *switch, "python3", "-I", "-c", _RELAY, options=_OPTIONS)
    relays: list[subprocess.Popen[bytes]] = []
    with (
        tempfile.TemporaryDirectory(prefix="fhirstack-") as name,
        socket.socket(socket.AF_UNIX) as listener,
        (Path(name) / "log").open("wb") as log,
    ):
        listener.bind(f"{name}/.s.PGSQL.{_PORT}")
        listener.listen()

        def serve() -> None:
            # Ended by the shutdown below.
            with suppress(OSError):
                while True:
                    channel, _ = listener.accept()
                    with channel:
                        ends = channel.fileno()
                        relays.append(subprocess.Popen(words, stdin=ends, stdout=ends, stderr=log))

        thread = Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield Server(host, Path(name))
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for relay in relays:
                _end(relay)


def _end(relay: "subprocess.Popen[bytes]") -> None:
    """Wait for a relay, whose connection is closed by now; end one that stays."""
    try:
        relay.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        relay.kill()
        relay.wait()
