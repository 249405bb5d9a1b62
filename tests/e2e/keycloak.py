"""Ways into the test stack's services, for tests that change things by hand."""

from collections.abc import Iterator
from contextlib import contextmanager

from fhirstack.checks.local import session_of
from fhirstack.checks.session import Session
from fhirstack.planes.iam.admin import KeycloakAdmin
from fhirstack.planes.local.platform import Platform, open_platform


def platform_of(cli) -> Platform:
    return open_platform(cli.stack)


@contextmanager
def administration(cli) -> Iterator[tuple[KeycloakAdmin, str]]:
    platform = platform_of(cli)
    with platform.keycloak_admin() as admin:
        yield admin, platform.environment.realm.name


@contextmanager
def session(cli) -> Iterator[Session]:
    with session_of(platform_of(cli)) as opened:
        yield opened
