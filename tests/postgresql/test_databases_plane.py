"""The warehouse's roles, schemas and rights: made, kept, and put right after any hand's change."""

from dataclasses import replace

import psycopg
import pytest

from fhirstack.planes import databases
from fhirstack.planes.plane import Action
from fhirstack.services import keycloak, warehouse

from tests.postgresql.conftest import connect  # isort: skip
from tests.postgresql.plane import SECRETS, data_directory, execute, planned  # isort: skip

pytestmark = pytest.mark.postgresql

TABLES = (
    (warehouse.LOADER, "airbyte.patient"),
    (warehouse.TRANSFORMER, "staging.stg_patient"),
    (warehouse.TRANSFORMER, "marts.patients"),
    (warehouse.TRANSFORMER, "marts.encounters"),
    (warehouse.TRANSFORMER, "marts_anonymous.service_activity"),
)


@pytest.fixture(scope="module", autouse=True)
def warehouse_made():
    made = planned(apply=True)
    assert {change.action for change in made} == {Action.CREATE}
    assert planned() == []
    for role, table in TABLES:
        execute(f"CREATE TABLE {table} (id text)", role)
    assert planned() == []


@pytest.mark.parametrize(
    ("role", "reads"),
    [
        (warehouse.LOADER, {"airbyte.patient"}),
        (warehouse.TRANSFORMER, {table for _, table in TABLES}),
        (warehouse.DASHBOARD, {"marts_anonymous.service_activity"}),
        (
            warehouse.ANALYST,
            {"marts_anonymous.service_activity", "marts.patients", "marts.encounters"},
        ),
    ],
)
def test_each_role_reads_what_it_may_and_nothing_else(role, reads):
    found = set()
    for _, table in TABLES:
        try:
            execute(f"SELECT FROM {table}", role)
        except psycopg.errors.InsufficientPrivilege:
            continue
        found.add(table)
    assert found == reads


@pytest.mark.parametrize("role", [warehouse.DASHBOARD, warehouse.ANALYST, warehouse.TRANSFORMER])
@pytest.mark.parametrize(
    "call",
    [
        "pg_sleep(0)",
        "pg_sleep_for('0')",
        "pg_sleep_until(now())",
        "query_to_xml('SELECT 1', true, true, '')",
        "query_to_xmlschema('SELECT 1', true, true, '')",
        "schema_to_xml('marts_anonymous', true, true, '')",
        "database_to_xml_and_xmlschema(true, true, '')",
        "lo_create(0)",
        "lo_from_bytea(0, 'x')",
    ],
)
def test_what_sleeps_or_runs_text_or_fills_the_disk_is_closed_to_every_role(role, call):
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="for function"):
        execute(f"SELECT {call}", role)


def test_no_other_database_is_touched():
    with connect(keycloak.DATABASE.name) as connection:
        connection.execute(f"SET ROLE {keycloak.DATABASE.role}")
        connection.execute("SELECT pg_sleep(0), query_to_xml('SELECT 1', true, true, '')")


DRIFTS = (
    ("GRANT SELECT ON marts.patients TO warehouse_dashboard", "databases/warehouse/schemas"),
    ("GRANT INSERT ON marts.patients TO warehouse_analyst", "databases/warehouse/schemas"),
    ("GRANT SELECT ON airbyte.patient TO PUBLIC", "databases/warehouse/schemas"),
    ("GRANT USAGE ON SCHEMA airbyte TO PUBLIC", "databases/warehouse/schemas"),
    ("GRANT CREATE ON SCHEMA marts TO warehouse_analyst", "databases/warehouse/schemas"),
    ("REVOKE SELECT ON marts.encounters FROM warehouse_analyst", "databases/warehouse/schemas"),
    ("ALTER SCHEMA marts OWNER TO warehouse_loader", "databases/warehouse/schemas"),
    ("DROP SCHEMA staging CASCADE", "databases/warehouse/schemas"),
    (
        "ALTER DEFAULT PRIVILEGES FOR ROLE warehouse_transformer IN SCHEMA marts"
        " GRANT SELECT ON TABLES TO warehouse_dashboard",
        "databases/warehouse/schemas",
    ),
    (
        "ALTER DEFAULT PRIVILEGES FOR ROLE warehouse_loader IN SCHEMA airbyte"
        " REVOKE SELECT ON TABLES FROM warehouse_transformer",
        "databases/warehouse/schemas",
    ),
    ("GRANT CONNECT ON DATABASE warehouse TO PUBLIC", "databases/warehouse"),
    ("GRANT CREATE ON DATABASE warehouse TO warehouse_dashboard", "databases/warehouse"),
    ("REVOKE CONNECT ON DATABASE warehouse FROM warehouse_analyst", "databases/warehouse"),
    ("ALTER DATABASE warehouse OWNER TO warehouse_transformer", "databases/warehouse"),
    ("GRANT warehouse_transformer TO warehouse_dashboard", "memberships"),
    ("ALTER ROLE warehouse_dashboard BYPASSRLS", "roles/warehouse_dashboard"),
    ("ALTER ROLE warehouse_loader SUPERUSER", "roles/warehouse_loader"),
    ("ALTER ROLE warehouse_analyst NOLOGIN", "roles/warehouse_analyst"),
    ("ALTER ROLE warehouse_analyst PASSWORD 'known-to-others'", "roles/warehouse_analyst"),
    ("ALTER ROLE warehouse_analyst CONNECTION LIMIT -1", "roles/warehouse_analyst"),
    (
        "ALTER ROLE warehouse_dashboard IN DATABASE warehouse RESET default_transaction_read_only",
        "databases/warehouse/roles/warehouse_dashboard",
    ),
    (
        "GRANT EXECUTE ON FUNCTION pg_sleep(double precision) TO PUBLIC",
        "databases/warehouse/functions",
    ),
    (
        "GRANT EXECUTE ON FUNCTION query_to_xml(text, boolean, boolean, text)"
        " TO warehouse_dashboard",
        "databases/warehouse/functions",
    ),
)


@pytest.mark.parametrize(("statement", "address"), DRIFTS)
def test_a_change_by_hand_is_found_named_and_put_right(statement, address):
    execute(statement)
    found = planned(apply=True)
    assert [change.address for change in found] == [address]
    assert "known-to-others" not in repr([change.as_dict() for change in found])
    assert planned() == []


def test_what_others_made_is_told_and_kept():
    execute("CREATE SCHEMA by_hand")
    execute("CREATE ROLE report_tool LOGIN")
    execute("GRANT USAGE ON SCHEMA marts TO report_tool")
    execute("GRANT SELECT ON marts.patients TO report_tool")
    try:
        found = planned(apply=True)
        assert {change.action for change in found} == {Action.REPORT}
        assert {change.address for change in found} == {
            "databases/warehouse/schemas/by_hand",
            "databases/warehouse/grants/USAGE on schema marts to report_tool",
            "databases/warehouse/grants/SELECT on tables marts to report_tool",
            "roles/report_tool",
        }
    finally:
        execute("DROP SCHEMA by_hand")
        execute("DROP OWNED BY report_tool")
        execute("DROP ROLE report_tool")


def test_an_extension_that_is_needed_is_made_and_another_is_told():
    needing = replace(warehouse.database(), extensions=("pg_trgm",))

    def plan():
        with connect() as connection:
            expected = databases.Expected(data_directory(connection))
            found = databases.plan(
                connection, (keycloak.DATABASE, needing), SECRETS, connect, expected=expected
            )
            for change in found:
                if change.apply:
                    change.apply()
            return found

    (made,) = plan()
    assert (made.address, made.after) == ("databases/warehouse/extensions", ["pg_trgm"])
    assert plan() == []
    (told,) = planned()
    assert told.action is Action.REPORT
    assert told.address == "databases/warehouse/extensions/pg_trgm"
    execute("DROP EXTENSION pg_trgm")
