"""What a killed ``verify`` left: taken away by the next command that changes anything.

Who verifies holds a lock, which ends with the process: what is there without it is left over.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from fhirstack.checks import client_web, devices, fixtures
from fhirstack.checks.local import session_of
from fhirstack.checks.session import Session
from fhirstack.clients.contract import Strategy
from fhirstack.errors import UnreachableError, UsageError
from fhirstack.lock import locked
from fhirstack.planes.local.platform import Platform
from fhirstack.services import fhir_server, keycloak

Removal = Callable[[Session], None]

_PEOPLE: tuple[Removal, ...] = (
    fixtures.remove_people,
    lambda session: devices.remove_people(session, *Strategy),
    client_web.remove_people,
)
_RECORDS: tuple[Removal, ...] = (
    fixtures.remove_records,
    lambda session: devices.remove_records(session, *Strategy),
    client_web.remove_records,
)


@contextmanager
def verifying(root: Path) -> Iterator[None]:
    """Hold the lock of a verification. Raises UsageError while another one runs."""
    with locked(root / "verify.lock", "another verify is at work on this stack"):
        yield


def remove(platform: Platform) -> bool:
    """Remove people and records of a verification that ended by itself; tell whether it could.

    Where Keycloak or the FHIR server does not run, or somebody verifies, nothing is done.
    """
    return _removed(platform, _PEOPLE + _RECORDS, keycloak.NAME, fhir_server.NAME)


def remove_people(platform: Platform) -> bool:
    """Do so with what Keycloak holds alone, before somebody compares it with what is declared."""
    return _removed(platform, _PEOPLE, keycloak.NAME)


def _removed(platform: Platform, removals: tuple[Removal, ...], *needed: str) -> bool:
    runtime = platform.runtime
    if not all(runtime.ready(w) for w in platform.workloads if w.name in needed):
        return False
    try:
        with verifying(platform.stack.root), session_of(platform) as session:
            for removal in removals:
                removal(session)
    except (UnreachableError, UsageError, httpx.HTTPError):
        return False
    return True
