"""Waits until TCP ports answer, an SSH port with its greeting: `ports.py ADDRESS:PORT …`."""

import socket
import sys
import time

_LIMIT = 30.0


def answers(address: str, port: int) -> bool:
    """Tell whether a port takes a connection and, where it is SSH's, greets."""
    try:
        with socket.create_connection((address, port), timeout=5) as line:
            return port != 22 or line.recv(4) == b"SSH-"
    except OSError:
        return False


def main() -> int:
    """Wait for all."""
    left = [(address, int(port)) for address, _, port in (w.rpartition(":") for w in sys.argv[1:])]
    limit = time.monotonic() + _LIMIT
    while left := [one for one in left if not answers(*one)]:
        if time.monotonic() > limit:
            print("no answer from", ", ".join(f"{a} port {p}" for a, p in left), file=sys.stderr)
            return 1
        time.sleep(0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
