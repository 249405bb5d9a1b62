"""Runs a command with a PostgreSQL of its own: ``python -m tests.with_postgresql COMMAND …``.

The command finds it in TEST_POSTGRESQL_PORT, _USER and _PASSWORD, as libpq's address of a new
database in FHIRSTACK_TEST_DATABASE, and in FHIR_SERVER_TEST_JDBC_URL. The server listens on
loopback, lives in a temporary directory, and both end with the command.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fhirstack.bundle.artifacts import postgresql
from fhirstack.planes.local.account import service_account

LIMIT_SECONDS = 60


def main() -> int:
    """Start, run, stop; return the command's exit code."""
    home = postgresql() / "bin"
    owner = service_account()
    as_owner = owner.process_options
    directory = Path(tempfile.mkdtemp(prefix="fhirstack-postgresql-"))
    os.chown(directory, owner.uid, owner.gid)
    password = secrets.token_urlsafe(16)
    secret = directory / "password"
    secret.write_text(password)
    os.chown(secret, owner.uid, owner.gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = directory / "data"
    server = None
    try:
        subprocess.run(
            [
                *(home / "initdb", f"--pgdata={data}", "--username=test", f"--pwfile={secret}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
            **as_owner,
        )
        settings = {"listen_addresses": "127.0.0.1", "port": port, "fsync": "off"}
        settings["unix_socket_directories"] = ""
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        server = subprocess.Popen(
            [home / "postgres", "-D", data, *options],
            stderr=(directory / "log").open("wb"),
            cwd="/",
            **as_owner,
        )
        deadline = time.monotonic() + LIMIT_SECONDS
        ready = [home / "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={port}"]
        while subprocess.run(ready, check=False).returncode:
            if server.poll() is not None or time.monotonic() > deadline:
                print((directory / "log").read_text(), file=sys.stderr)
                return 1
            time.sleep(0.1)
        environment = {
            **os.environ,
            "TEST_POSTGRESQL_PORT": str(port),
            "TEST_POSTGRESQL_USER": "test",
            "TEST_POSTGRESQL_PASSWORD": password,
            "FHIRSTACK_TEST_DATABASE": f"postgresql://test:{password}@127.0.0.1:{port}/postgres",
            "FHIR_SERVER_TEST_JDBC_URL": f"jdbc:postgresql://127.0.0.1:{port}/postgres",
            "FHIR_SERVER_TEST_USER": "test",
            "FHIR_SERVER_TEST_PASSWORD": password,
        }
        return subprocess.run(sys.argv[1:], env=environment, check=False).returncode
    finally:
        if server:
            server.send_signal(signal.SIGINT)
            server.wait()
        shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main())
