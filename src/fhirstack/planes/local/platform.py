"""A local platform, opened: stack, environment, secrets and workloads, and ways to its services."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import httpx

from fhirstack.bundle import artifacts
from fhirstack.demo.application import declared
from fhirstack.demo.places import COMMODITY_LIST_ID, ROOT_LOCATION_ID
from fhirstack.errors import UsageError
from fhirstack.lock import locked
from fhirstack.model.local import local_environment
from fhirstack.model.site import Environment, FhirWeb
from fhirstack.patience import HANG_SECONDS
from fhirstack.planes import databases
from fhirstack.planes.iam.admin import KeycloakAdmin
from fhirstack.planes.local import certificates, secrets
from fhirstack.planes.local.account import Account, service_account
from fhirstack.planes.local.runtime import Runtime
from fhirstack.planes.local.stack import Stack, find, option
from fhirstack.planes.plane import Change
from fhirstack.secret import Secret
from fhirstack.services import catalogue, fhir_server, fhir_web, keycloak, postgresql
from fhirstack.services.workload import Context, Workload


@dataclass(frozen=True)
class Platform:
    """Everything that commands need of one local stack. Opening it changes nothing."""

    stack: Stack
    owner: Account
    environment: Environment
    secrets: Mapping[str, Secret]
    context: Context

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """The stack's workloads, in start order."""
        return catalogue.workloads(self.context)

    @property
    def runtime(self) -> Runtime:
        """The plane ``local`` of this stack."""
        return Runtime(self.stack, self.owner, self.workloads, self.context.artifacts)

    @property
    def certificate_authority(self) -> Path:
        """The CA that clients must trust."""
        return self.stack.path("tls", "ca.pem")

    @property
    def fhir_backend(self) -> str:
        """The FHIR server's own base, inside the platform."""
        return fhir_server.backend_url(self.context)

    @property
    def keycloak_inside(self) -> str:
        """Keycloak's base inside the platform: the only way to its administration."""
        return f"http://{self.context.endpoint(keycloak.NAME, 'http')}{keycloak.PATH}"

    @contextmanager
    def keycloak_admin(self) -> Iterator[KeycloakAdmin]:
        """Open Keycloak's Admin API."""
        admin = KeycloakAdmin(
            self.keycloak_inside,
            keycloak.BOOTSTRAP_CLIENT,
            self.secrets[keycloak.BOOTSTRAP_SECRET],
        )
        try:
            yield admin
        finally:
            admin.close()

    def superuser(self, database: str = "postgres") -> databases.Connection:
        """Open an administrator's connection to PostgreSQL; the caller closes it."""
        return databases.connect(
            str(self.stack.path("run")),
            self.stack.port(postgresql.NAME, "sql"),
            postgresql.SUPERUSER,
            self.secrets[postgresql.SUPERUSER_SECRET],
            database,
        )

    def database_changes(self, connection: databases.Connection) -> list[Change]:
        """Compare PostgreSQL's databases, roles and rights with what the services need.

        The changes are made over ``connection``, an administrator's.
        """
        desired = catalogue.databases(self.environment)
        unused = catalogue.unused_databases(self.environment)
        expected = databases.Expected(str(self.stack.path("data", postgresql.NAME) / "main"))
        return databases.plan(
            connection, desired, self.secrets, self.superuser, unused, expected=expected
        )

    def fhir(self) -> httpx.Client:
        """Return a client of the FHIR server itself, past the gateway."""
        return httpx.Client(base_url=self.fhir_backend, timeout=HANG_SECONDS)


def open_platform(stack: Stack, *, make: bool = False) -> Platform:
    """Return the platform of a stack; with ``make`` its secrets and certificates are ensured."""
    owner = service_account(make=make)
    environment = environment_of(stack)
    if make:
        names = tuple(environment.dns_names.values())
        certificates.ensure(stack.path("tls"), environment.domain, names, owner)
        secrets.ensure(stack.path("secrets"), catalogue.SECRETS, owner)
    values = secrets.read(stack.path("secrets"), catalogue.SECRETS)
    context = Context(
        environment=environment,
        endpoints=stack.endpoints,
        artifacts=places(environment),
        config_root=PurePosixPath(stack.path("config")),
        data_root=PurePosixPath(stack.path("data")),
        run_root=PurePosixPath(stack.path("run")),
        tls_root=PurePosixPath(stack.path("tls")),
        log_root=PurePosixPath(stack.path("log")),
        secrets=values,
        tls_digest=certificates.digest(stack.path("tls")),
    )
    return Platform(stack, owner, environment, values, context)


def environment_of(stack: Stack) -> Environment:
    """Return the environment that a stack is, with the demo programme's application and places."""
    web = fhir_web.found_in(stack.fhir_web) if stack.fhir_web else FhirWeb()
    demo = {"root_location": ROOT_LOCATION_ID, "commodity_list": COMMODITY_LIST_ID}
    return local_environment(
        stack.name,
        https_port=stack.port("edge", "https"),
        http_port=stack.port("edge", "http"),
        application=declared(),
        analytics=stack.analytics,
        fhir_web=web.model_copy(update=demo),
    )


def places(environment: Environment) -> dict[str, PurePosixPath]:
    """Return where each artifact is, or will be once `up` made it. Makes nothing."""
    return {
        artifact.name: PurePosixPath(artifact.place()) for artifact in artifacts.needed(environment)
    }


def existing(name: str) -> Stack:
    """Return the stack of this name. Raises UsageError where there is none."""
    stack = find(name)
    if stack is None:
        raise UsageError(
            f"there is no stack {name}", remedy=f"Make it: ./fhirstack up{option(name)}"
        )
    return stack


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Hold the stack's lock, so that two commands never change it at once.

    Raises UsageError at once if another command holds it. The lock ends with the process.
    """
    with locked(root / "lock", "another fhirstack command is at work on this stack"):
        yield
