"""Who may read what, and that the anonymous tables lead back to nobody."""

import hashlib

import psycopg
import pytest
from tests.unit.analytics_dbt.conftest import LANDED_AT, cases
from tests.unit.analytics_dbt.warehouse import Warehouse

pytestmark = pytest.mark.postgresql

DASHBOARD, ANALYST = "warehouse_dashboard", "warehouse_analyst"
MONTHLY = "select * from marts_anonymous.service_activity where service = 'visit'"
SMALLEST = 5


@pytest.fixture(scope="module")
def crowd(warehouse: Warehouse) -> Warehouse:
    """The records of the cases, and as many women in one place and month as may be shown."""
    for stream, resources in cases("records.yaml").items():
        warehouse.land(stream, resources, at=LANDED_AT)
    numbers = range(SMALLEST)
    tag = {"system": "https://smartregister.org/location-tag-id", "code": "south"}
    warehouse.land(
        "patient",
        (
            {
                **{"resourceType": "Patient", "id": f"crowd-{n}", "meta": {"tag": [tag]}},
                **{"gender": "female", "birthDate": "1990-01-01"},
            }
            for n in numbers
        ),
        at=LANDED_AT,
    )
    warehouse.land(
        "encounter",
        (
            {
                **{"resourceType": "Encounter", "id": f"crowd-{n}", "meta": {"tag": [tag]}},
                **{"status": "finished", "subject": {"reference": f"Patient/crowd-{n}"}},
                **{"period": {"start": "2026-02-03"}},
            }
            for n in numbers
        ),
        at=LANDED_AT,
    )
    warehouse.dbt("run")
    return warehouse


def test_a_small_group_is_for_analysts_only(crowd: Warehouse) -> None:
    for table in ("service_activity", "area_activity"):
        query = f"select people from marts_anonymous.{table}"  # noqa: S608
        everyone = crowd.rows(query)
        seen = crowd.rows(query, role=DASHBOARD)
        assert seen
        assert sorted(seen) == sorted(row for row in everyone if row[0] >= SMALLEST)
        assert len(seen) < len(everyone)
        for role in (ANALYST, "warehouse_transformer"):
            assert sorted(crowd.rows(query, role=role)) == sorted(everyone)


def test_the_smallest_group_is_a_setting(crowd: Warehouse) -> None:
    shown = crowd.rows(MONTHLY, role=DASHBOARD)
    crowd.dbt("run", "--select", "anonymous_service_activity", "--vars", "smallest_group: 6")
    assert len(shown) == 1
    assert crowd.rows(MONTHLY, role=DASHBOARD) == []


@pytest.mark.parametrize(
    ("role", "table"),
    [
        (DASHBOARD, "marts.patients"),
        (DASHBOARD, "staging.int_patients"),
        (DASHBOARD, "staging.anonymous_key"),
        (DASHBOARD, "airbyte.patient"),
        (ANALYST, "staging.anonymous_key"),
        (ANALYST, "staging.stg_patient"),
        (ANALYST, "airbyte.patient"),
        ("warehouse_loader", "staging.anonymous_key"),
    ],
)
def test_a_role_reads_no_more_than_it_should(crowd: Warehouse, role: str, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        crowd.rows(f"select * from {table}", role=role)  # noqa: S608


def test_no_default_privilege_opens_the_key(crowd: Warehouse) -> None:
    crowd.execute(f"grant usage on schema staging to {ANALYST}")
    crowd.execute(f"grant select on all tables in schema staging to {ANALYST}")
    crowd.dbt("run", "--select", "anonymous_patients")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="anonymous_key"):
        crowd.rows("select * from staging.anonymous_key", role=ANALYST)
    crowd.execute(f"revoke all on all tables in schema staging from {ANALYST}")
    crowd.execute(f"revoke all on schema staging from {ANALYST}")


def test_a_key_needs_the_secret(crowd: Warehouse) -> None:
    ((secret,),) = crowd.rows("select key from staging.anonymous_key")
    ids = [patient_id for (patient_id,) in crowd.rows("select patient_id from marts.patients")]
    keys = _keys(crowd)
    # The construction: the secret before the id, and before that hash again.
    assert keys == {
        hashlib.sha256(secret + hashlib.sha256(secret + one.encode()).digest()).hexdigest()
        for one in ids
    }
    for forged in (b"", b"\0" * 32, ids[0].encode()):
        assert not keys & {
            hashlib.sha256(forged + hashlib.sha256(forged + one.encode()).digest()).hexdigest()
            for one in ids
        }
    texts = " ".join(row for rows in crowd.dump(["marts"]).values() for row in rows)
    assert secret.hex() not in texts
    assert not [key for key in keys if key in texts]


def test_keys_stay_over_a_full_refresh_and_change_with_the_secret(crowd: Warehouse) -> None:
    keys = _keys(crowd)
    crowd.dbt("run", "--full-refresh", "--select", "anonymous_patients")
    assert _keys(crowd) == keys
    crowd.execute("delete from staging.anonymous_key")
    crowd.dbt("run", "--select", "anonymous_patients")
    assert len(_keys(crowd)) == len(keys)
    assert not _keys(crowd) & keys


def test_nothing_of_a_person_is_in_the_anonymous_tables(crowd: Warehouse) -> None:
    known = {
        str(value)
        for row in crowd.rows(
            "select patient_id, identifier, secondary_identifier, family_name, given_names, phone,"
            " birth_date, registered_on, household_id from marts.patients"
        )
        for value in row
        if value is not None and not str(value).endswith("-01")
    }
    known |= {row[0] for row in crowd.rows("select encounter_id from marts.encounters")}
    texts = [
        f'"{value}"'
        for rows in crowd.dump(["marts_anonymous"]).values()
        for row in rows
        for value in row.split('"')
    ]
    assert not {text for text in texts if text.strip('"') in known}


def test_rows_on_disk_are_in_no_order_that_tells(crowd: Warehouse) -> None:
    stored = crowd.rows("select person_key from marts_anonymous.patients order by ctid")
    assert stored == sorted(stored)


def _keys(warehouse: Warehouse) -> set[str]:
    return {key for (key,) in warehouse.rows("select person_key from marts_anonymous.patients")}
