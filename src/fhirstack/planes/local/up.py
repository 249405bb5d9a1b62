"""Bringing a local stack up: phases, each of which can be run again after any interruption."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from fhirstack.bundle.artifacts import needed
from fhirstack.bundle.programs import disk_error
from fhirstack.planes import fhir
from fhirstack.planes.iam import plan as iam
from fhirstack.planes.iam.admin import KeycloakAdmin
from fhirstack.planes.iam.roles import ADMINISTRATOR_GROUP, WEB_GROUP
from fhirstack.planes.iam.users import User, ensure_user
from fhirstack.planes.local import dashboards, runtime, schemas, stack
from fhirstack.planes.local.account import make_directory, service_account
from fhirstack.planes.local.platform import (
    Platform,
    environment_of,
    exclusive,
    open_platform,
)
from fhirstack.planes.local.secrets import ensure
from fhirstack.planes.plane import Action, Change, effective
from fhirstack.services import (
    catalogue,
    edge,
    fhir_gateway,
    fhir_server,
    fhir_web,
    keycloak,
    postgresql,
    redis,
    superset,
)

Step = Callable[[str], AbstractContextManager[None]]
"""Shows what is being done and, at its end, how long it took."""

ADMINISTRATOR = "administrator"
ADMINISTRATOR_SECRET = "user-administrator"  # noqa: S105 - a secret's name


@dataclass(frozen=True)
class Result:
    """What `up` did."""

    platform: Platform
    changes: tuple[Change, ...]
    reports: tuple[Change, ...]
    moved_ports: bool


@dataclass(frozen=True)
class Wanted:
    """What a person asks of a stack; None: as it is, or as is usual for a new one."""

    port_base: int | None = None
    analytics: bool | None = None
    fhir_web: str | None = None


def up(
    name: str,
    wanted: Wanted,
    step: Step,
    before_realm: Callable[[Platform], object] = lambda platform: None,
) -> Result:
    """Make the stack of this name run as declared. Raises FhirstackError.

    ``before_realm`` is called when Keycloak runs, before its realm is compared.
    """
    owner = service_account()
    root = stack.stacks_directory() / stack.check_name(name)
    known = stack.find(name)
    found = as_wanted(known or stack.new(name, wanted.port_base), wanted)
    for artifact in needed(environment_of(found)):
        with step(artifact.title):
            artifact.get()
    root.parent.mkdir(parents=True, exist_ok=True)
    make_directory(root, owner)
    with exclusive(root):
        if known and known.port_base != found.port_base:
            # Before it is recorded: a stack that runs keeps the ports that it has.
            runtime.check_ports(found, {})
        stack.record(found, owner)
        platform = open_platform(found, make=True)
        changes = _converge(platform, step, before_realm)
    usual = wanted.port_base is not None or found.port_base == stack.FIRST_PORT_BASE
    moved = known is None and not usual
    return Result(platform, tuple(effective(changes)), _reports(changes), moved)


def as_wanted(found: stack.Stack, wanted: Wanted) -> stack.Stack:
    """Return the stack as it is to be. Pure, but for the directory from which it is asked."""
    return replace(
        found,
        port_base=found.port_base if wanted.port_base is None else wanted.port_base,
        analytics=found.analytics if wanted.analytics is None else wanted.analytics,
        fhir_web=found.fhir_web if wanted.fhir_web is None else _anywhere(wanted.fhir_web),
    )


def _anywhere(directory: str) -> str:
    """Return a directory as the next command finds it too, from wherever it is given."""
    return fhir_web.absolute(directory) if directory else ""


@dataclass(frozen=True)
class Plan:
    """What `up` would change, and what could not be looked at, each with the reason."""

    changes: tuple[Change, ...]
    unseen: tuple[str, ...]


def plan(platform: Platform) -> Plan:
    """Compare every plane with what is declared. Changes nothing."""
    local = platform.runtime
    changes = runtime.plan(platform.stack, platform.workloads, local.observe())
    changes += _fhir_web_pages(platform)
    ready = {w.name: local.ready(w) for w in platform.workloads}
    unseen = []
    if ready[postgresql.NAME]:
        with platform.superuser() as connection:
            changes += platform.database_changes(connection)
    else:
        unseen.append("databases: PostgreSQL is not running")
    if platform.environment.runs("superset"):
        if ready[postgresql.NAME]:
            changes += dashboards.plan(platform)
        else:
            unseen.append("superset: PostgreSQL is not running")
    if ready[keycloak.NAME]:
        with platform.keycloak_admin() as admin:
            changes += iam.plan(admin, platform.environment, dict(platform.secrets))
    else:
        unseen.append("iam: Keycloak is not running")
    if ready[fhir_server.NAME]:
        with platform.fhir() as client:
            changes += fhir.plan(client, fhir_web.search_parameters())
    else:
        unseen.append("fhir: the FHIR server is not running")
    return Plan(tuple(changes), tuple(unseen))


def _reports(changes: list[Change]) -> tuple[Change, ...]:
    made = effective(changes)
    return tuple(change for change in changes if change not in made)


def _converge(
    platform: Platform, step: Step, before_realm: Callable[[Platform], object]
) -> list[Change]:
    local = platform.runtime
    local.end_orphans()
    observed = local.observe()
    changes = runtime.plan(platform.stack, platform.workloads, observed)
    runtime.check_ports(platform.stack, observed.processes)
    pages = _fhir_web_pages(platform)
    changes += pages
    if changes:
        local.write()
        _apply(pages)
        local.load()
    local.start((postgresql.NAME, redis.NAME, edge.NAME))
    with step("PostgreSQL starts"):
        local.wait(postgresql.NAME)
    with step("databases and roles"), platform.superuser() as connection:
        made = _apply(platform.database_changes(connection))
        changes += made
    fresh = schemas.fresh(made, catalogue.databases(platform.environment))
    for database in fresh:
        schemas.restore(platform, database)
    local.start((keycloak.NAME, fhir_server.NAME, fhir_gateway.NAME))
    with step("Redis and the edge start"):
        local.wait(redis.NAME)
        local.wait(edge.NAME)
    if platform.environment.runs("superset"):
        # Before its web server, which wants the schema; meanwhile the others start.
        with step("Superset's roles and dashboards"):
            changes += dashboards.converge(platform)
        local.start((superset.NAME,))
    with step("Keycloak starts"):
        local.wait(keycloak.NAME)
    before_realm(platform)
    with step("realm, clients, roles and groups"):
        changes += _identity(platform)
    with step("FHIR server starts"):
        local.wait(fhir_server.NAME)
        with platform.fhir() as client:
            changes += _apply(fhir.plan(client, fhir_web.search_parameters()))
    with step("FHIR gateway is ready"):
        local.wait(fhir_gateway.NAME)
    rest = [workload.name for workload in platform.workloads]
    local.start(rest)
    for name in rest:
        with step(f"{name} is ready"):
            local.wait(name)
    for database in fresh:
        schemas.keep(platform, database)
    return changes


def _fhir_web_pages(platform: Platform) -> list[Change]:
    """Compare what FHIR Web serves here with its build and our configuration, by content."""
    environment, owner = platform.environment, platform.owner
    if fhir_web.reason(environment) is not None:
        return []
    found = fhir_web.layout(environment.fhir_web)
    if owner.switches:
        fhir_web.check_readable(found, owner.uid)
    wanted = fhir_web.web_root(found.pages, fhir_web.render_config(environment))
    target = platform.stack.path("data", fhir_web.NAME, "web")
    files = fhir_web.differing(wanted, target)
    if not files:
        return []

    def lay_out() -> None:
        try:
            fhir_web.lay_out(wanted, target)
        except OSError as error:
            raise disk_error(error, target) from error

    shown = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    action = Action.UPDATE if target.exists() else Action.CREATE
    place = str(target.relative_to(platform.stack.root))
    reason = f"not as in {found.pages}: {shown}"
    return [Change(runtime.PLANE, place, action, reason=reason, apply=lay_out)]


def _identity(platform: Platform) -> list[Change]:
    with platform.keycloak_admin() as admin:
        changes = iam.plan(admin, platform.environment, dict(platform.secrets))
        _apply(changes)
        _administrator(admin, platform)
    return changes


def _administrator(admin: KeycloakAdmin, platform: Platform) -> None:
    """Make the one user with whom a person can begin: FHIR Web and its user pages."""
    names = [ADMINISTRATOR_SECRET]
    directory = platform.stack.path("secrets")
    password = ensure(directory, names, platform.owner)[ADMINISTRATOR_SECRET]
    user = User(
        username=ADMINISTRATOR,
        first_name="Programme",
        last_name="Administrator",
        email=f"{ADMINISTRATOR}@{platform.environment.domain}",
        app_id=platform.environment.application.id,
        groups=(WEB_GROUP, ADMINISTRATOR_GROUP),
    )
    ensure_user(admin, platform.environment.realm.name, user, password)


def _apply(changes: list[Change]) -> list[Change]:
    for change in changes:
        if change.apply is not None:
            change.apply()
    return changes
