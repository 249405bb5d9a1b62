"""What a killed ``verify`` left: taken away by the next command that changes anything.

Who verifies holds a lock, which ends with the process: what is there without it is left over.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from fhirstack.checks import devices, fixtures
from fhirstack.checks.local import session_of
from fhirstack.errors import UnreachableError, UsageError
from fhirstack.planes.local.platform import Platform
from fhirstack.services import fhir_server, keycloak

_LOCK = "verify.lock"


@contextmanager
def verifying(root: Path) -> Iterator[None]:
    """Hold the lock of a verification. Raises UsageError while another one runs."""
    with (root / _LOCK).open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                "another verify is at work on this stack",
                where=str(root),
                remedy="Wait until it has ended, then run this again.",
            ) from error
        yield


def remove(platform: Platform) -> bool:
    """Remove people and records of a verification that ended by itself; tell whether it could.

    Where Keycloak or the FHIR server does not run, or somebody verifies, nothing is done.
    """
    runtime = platform.runtime
    needed = [w for w in platform.workloads if w.name in {keycloak.NAME, fhir_server.NAME}]
    if not all(runtime.ready(workload) for workload in needed):
        return False
    try:
        with verifying(platform.stack.root), session_of(platform) as session:
            fixtures.remove(session)
            devices.remove(session)
    except (UnreachableError, UsageError, httpx.HTTPError):
        return False
    return True
