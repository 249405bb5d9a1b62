"""Ways into the test stack's services, for tests that change things by hand."""

from collections.abc import Iterator
from contextlib import contextmanager

from fhirstack.checks.session import Session, trusting_client
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
    platform = platform_of(cli)
    with (
        platform.keycloak_admin() as admin,
        platform.fhir() as backend,
        trusting_client(platform.certificate_authority) as http,
    ):
        yield Session(
            environment=platform.environment,
            admin=admin,
            backend=backend,
            http=http,
            authority=platform.certificate_authority,
            secrets=platform.secrets,
            inside=platform.stack.endpoints,
            local_root=platform.stack.root,
        )
