"""A local platform, opened: stack, environment, secrets and workloads, and ways to its services."""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import httpx
import psycopg

from fhirstack.bundle.artifacts import CATALOGUE
from fhirstack.demo.application import declared
from fhirstack.errors import UsageError
from fhirstack.model.local import local_environment
from fhirstack.model.site import Environment
from fhirstack.planes import databases
from fhirstack.planes.iam.admin import KeycloakAdmin
from fhirstack.planes.local import certificates, secrets
from fhirstack.planes.local.account import Account, service_account
from fhirstack.planes.local.runtime import Runtime
from fhirstack.planes.local.stack import Stack, find
from fhirstack.secret import Secret
from fhirstack.services import catalogue, fhir_server, keycloak, postgresql
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

    @contextmanager
    def superuser(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """Open an administrator's connection to PostgreSQL."""
        with databases.connect(
            str(self.stack.path("run")),
            self.stack.port(postgresql.NAME, "sql"),
            postgresql.SUPERUSER,
            self.secrets[postgresql.SUPERUSER_SECRET],
        ) as connection:
            yield connection

    def fhir(self) -> httpx.Client:
        """Return a client of the FHIR server itself, past the gateway."""
        return httpx.Client(base_url=self.fhir_backend, timeout=120)


def open_platform(stack: Stack, *, make: bool = False) -> Platform:
    """Return the platform of a stack; with ``make`` its secrets and certificates are ensured."""
    owner = service_account()
    environment = local_environment(
        stack.name,
        https_port=stack.port("edge", "https"),
        http_port=stack.port("edge", "http"),
        application=declared(),
    )
    if make:
        names = tuple(environment.dns_name(service) for service in environment.services)
        certificates.ensure(stack.path("tls"), environment.domain, names, owner)
        secrets.ensure(stack.path("secrets"), catalogue.SECRETS, owner)
    values = secrets.read(stack.path("secrets"), catalogue.SECRETS)
    context = Context(
        environment=environment,
        endpoints=stack.endpoints,
        artifacts=places(),
        config_root=PurePosixPath(stack.path("config")),
        data_root=PurePosixPath(stack.path("data")),
        run_root=PurePosixPath(stack.path("run")),
        tls_root=PurePosixPath(stack.path("tls")),
        secrets=values,
        tls_digest=certificates.digest(stack.path("tls")),
    )
    return Platform(stack, owner, environment, values, context)


def places() -> dict[str, PurePosixPath]:
    """Return where each artifact is, or will be once `up` made it. Makes nothing."""
    return {artifact.name: PurePosixPath(artifact.place()) for artifact in CATALOGUE}


def existing(name: str) -> Stack:
    """Return the stack of this name. Raises UsageError where there is none."""
    stack = find(name)
    if stack is None:
        option = "" if name == "fhirstack" else f" --name {name}"
        raise UsageError(f"there is no stack {name}", remedy=f"Make it: ./fhirstack up{option}")
    return stack


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Hold the stack's lock, so that two commands never change it at once.

    Raises UsageError at once if another command holds it. The lock ends with the process.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                "another fhirstack command is at work on this stack",
                where=str(root),
                remedy="Wait until it has ended, then run this again.",
            ) from error
        yield
