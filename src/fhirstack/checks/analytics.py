"""Checks from the FHIR store to the marts: all is there, exactly, and what went is gone."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from fhirstack.checks import exact, fixtures
from fhirstack.checks.check import Check, FailedError, SkippedError, require, status_is
from fhirstack.checks.session import Session
from fhirstack.model.records import TYPES
from fhirstack.patience import HANG_SECONDS
from fhirstack.services import pipelines, postgresql, warehouse

PATIENT = f"{fixtures.PREFIX}-carried"
_SEEN = "SELECT count(*) FROM staging.int_patients WHERE patient_id = %s"
"""Where the marts are made from; the marts themselves leave out what the checks made."""
_COUNTED = "SELECT count(*) FROM marts.patients WHERE patient_id = %s"
SAMPLE_TYPES = 8
SAMPLE_EACH = 5


def needed(session: Session) -> None:
    """Raise SkippedError where there is nothing to look at."""
    if not session.environment.runs("airbyte"):
        raise SkippedError("this environment runs without analytics")
    if session.sync is None:
        raise SkippedError("the runner is started on its own host only")


@contextmanager
def reading(session: Session, role: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Open the warehouse as one of its roles."""
    endpoint = session.inside[postgresql.NAME, "sql"]
    with psycopg.connect(
        host=endpoint.host,
        port=endpoint.port,
        dbname=warehouse.NAME,
        user=role,
        password=session.secrets[warehouse.secret_of(role)].reveal(),
        connect_timeout=HANG_SECONDS,
        autocommit=True,
    ) as connection:
        yield connection


def _carry(session: Session) -> str:
    """Run the pipelines once. Raises FailedError where they fail."""
    needed(session)
    if session.sync is None:
        raise SkippedError("there is no runner")
    done = session.sync()
    require(done["status"] == "ok", f"run {done['run']}: {done['error']}")
    return f"run {done['run']}: {done['resources']} resources, {done['deleted']} deleted"


def _count(session: Session, role: str, statement: str, *values: Any) -> int:
    with reading(session, role) as connection:
        row = connection.execute(statement.encode(), values).fetchone()
    return int(row[0]) if row else 0


def written_now(session: Session) -> str:
    needed(session)
    body = fixtures.patient(PATIENT, session.people.team)
    status_is(session.backend.put(f"/Patient/{PATIENT}", json=body), 200, 201)
    told = _carry(session)
    found = _count(session, warehouse.TRANSFORMER, _SEEN, PATIENT)
    require(found == 1, f"{told}; the patient is {found} times in staging.int_patients")
    people = _count(session, warehouse.ANALYST, _COUNTED, PATIENT)
    return require(people == 0, f"{told}; a patient of the checks is counted {people} times")


def counts(session: Session) -> str:
    needed(session)
    differing = _differing(session)
    if differing:
        # Somebody may have written between the run and the counting: carried once more.
        _carry(session)
        differing = _differing(session)
    told = [f"{kind}: {store} in the store, {held} here" for kind, store, held in differing]
    require(not differing, "; ".join(told))
    return f"{len(TYPES)} types: as many rows as the store has resources"


def _differing(session: Session) -> list[tuple[str, int, int]]:
    found = []
    with reading(session, warehouse.LOADER) as connection:
        for kind in TYPES:
            answer = session.backend.get(
                f"/{kind}", params={"_summary": "count"}, headers={"Cache-Control": "no-cache"}
            )
            status_is(answer, 200)
            row = connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(_table(kind))
            ).fetchone()
            store, held = int(answer.json()["total"]), int(row[0]) if row else 0
            if store != held:
                found.append((kind, store, held))
    return found


def _table(kind: str) -> sql.Identifier:
    return sql.Identifier(warehouse.RAW, pipelines.table_of(kind))


def same_fields(session: Session) -> str:
    needed(session)
    chooser = random.Random()  # noqa: S311 - which rows are looked at is no secret
    with reading(session, warehouse.LOADER) as connection:
        filled = [kind for kind in TYPES if _some(connection, kind)]
        kinds = ["Patient", *chooser.sample(filled, min(SAMPLE_TYPES, len(filled)))]
        chosen = [(kind, name) for kind in kinds for name in _some(connection, kind, SAMPLE_EACH)]
    found, tagged = _compared(session, chosen)
    if any(found.values()):
        # Somebody may have written since the run: carried once more, and the same ones compared.
        _carry(session)
        found, tagged = _compared(session, chosen)
    differing = [
        f"{kind}/{name} differs: {place}" for (kind, name), place in found.items() if place
    ]
    require(not differing, "; ".join(differing[:3]))
    return require(tagged > 0, f"{len(found)} resources are equal in every field, {tagged} tags")


def _compared(
    session: Session, chosen: list[tuple[str, str]]
) -> tuple[dict[tuple[str, str], str], int]:
    """Return where each that is not gone differs, empty for equal, and how many have tags."""
    found, tagged = {}, 0
    with reading(session, warehouse.LOADER) as connection:
        for kind, name in chosen:
            row = connection.execute(
                sql.SQL("SELECT resource::text FROM {} WHERE id = %s").format(_table(kind)), [name]
            ).fetchone()
            answer = session.fhir("GET", f"{kind}/{name}", session.pipeline_token())
            if answer.status_code in (404, 410) or row is None:
                continue
            status_is(answer, 200)
            store, held = exact.read(answer.text), exact.read(row[0])
            found[kind, name] = exact.first_difference(store, held)
            tagged += bool(held.get("meta", {}).get("tag"))
    return found, tagged


def _some(connection: psycopg.Connection[tuple[Any, ...]], kind: str, most: int = 1) -> list[str]:
    """Return some ids of a type: from a random place on, so that any row may be met."""
    statement = sql.SQL(
        "(SELECT id FROM {table} WHERE id >= md5(random()::text) ORDER BY id LIMIT {most})"
        " UNION (SELECT id FROM {table} ORDER BY id LIMIT {most}) LIMIT {most}"
    ).format(table=_table(kind), most=sql.Literal(most))
    return [str(row[0]) for row in connection.execute(statement)]


def deleted(session: Session) -> str:
    needed(session)
    status_is(session.backend.delete(f"/Patient/{PATIENT}"), 200, 204)
    told = _carry(session)
    raw = "SELECT count(*) FROM airbyte.patient WHERE id = %s"
    left = _count(session, warehouse.LOADER, raw, PATIENT)
    left += _count(session, warehouse.TRANSFORMER, _SEEN, PATIENT)
    return require(left == 0, f"{told}; {left} rows of the deleted patient are left")


def freshness(session: Session) -> str:
    needed(session)
    with reading(session, warehouse.DASHBOARD) as connection:
        row = connection.execute(
            "SELECT extract(epoch FROM now() - max(finished_at)) / 60"
            " FROM marts_anonymous.sync_runs WHERE status = 'ok'"
        ).fetchone()
        types = connection.execute("SELECT count(*) FROM marts_anonymous.freshness").fetchone()
    limit = 2 * session.environment.analytics.every_minutes
    if row is None or row[0] is None:
        raise FailedError("no run ever ended well")
    minutes = float(row[0])
    require(minutes <= limit, f"the last good run was {minutes:.0f} minutes ago, {limit} at most")
    return f"{minutes:.1f} minutes old, at most {limit}; {types[0] if types else 0} types"


def roles(session: Session) -> str:
    needed(session)
    raw, staging = "SELECT FROM airbyte.patient", "SELECT FROM staging.stg_patient"
    marts, numbers = "SELECT FROM marts.patients", "SELECT FROM marts_anonymous.service_activity"
    cases = (
        (warehouse.DASHBOARD, (numbers,), (raw, staging, marts)),
        (warehouse.ANALYST, (numbers, marts), (raw, staging)),
    )
    for role, open_to, closed_to in cases:
        with reading(session, role) as connection:
            for statement in open_to:
                connection.execute(statement.encode())
            for statement in closed_to:
                try:
                    connection.execute(statement.encode())
                except psycopg.errors.InsufficientPrivilege:
                    continue
                raise FailedError(f"{role} may: {statement}")
            try:
                connection.execute("CREATE TEMPORARY TABLE made (id int)")
            except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction):
                continue
            raise FailedError(f"{role} may write")
    return "dashboards read groups only, analysts marts; neither reads raw records nor writes"


WRITTEN = (
    Check(
        "analytics.written",
        "services.airbyte",
        "A new patient is carried, uncounted",
        written_now,
    ),
)
CHECKS = (
    Check("analytics.deleted", "services.airbyte", "A deleted patient is gone", deleted),
    Check("analytics.counts", "services.warehouse", "Store and warehouse count alike", counts),
    Check(
        "analytics.fields", "services.warehouse", "Records are equal in every field", same_fields
    ),
    Check("analytics.fresh", "services.dbt", "The marts are fresh", freshness),
    Check("analytics.roles", "warehouse.separation", "Roles read what they may", roles),
)
