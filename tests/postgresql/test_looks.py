"""What hands change beside roles and rights: each kind is found, named, put right, or told once."""

from typing import NamedTuple

import psycopg
import pytest

from fhirstack.errors import UnreachableError
from fhirstack.planes import databases
from fhirstack.planes.databases import identity
from fhirstack.planes.plane import Action, effective
from fhirstack.services import keycloak

from tests.postgresql.conftest import connect  # isort: skip
from tests.postgresql.plane import DESIRED, SECRETS, data_directory, execute, planned  # isort: skip

pytestmark = pytest.mark.postgresql

KC = keycloak.DATABASE.name
FUNCTION = "CREATE FUNCTION public.f() RETURNS {} LANGUAGE plpgsql {} AS 'BEGIN RETURN {}; END'"


class Case(NamedTuple):
    """Statements of a hand, the address that names them, and how the test takes them back."""

    does: tuple[str, ...]
    address: str
    undo: tuple[str, ...] = ()
    database: str = KC


@pytest.fixture(scope="module", autouse=True)
def made():
    planned(apply=True)
    assert planned() == []
    execute("CREATE TABLE t (id int PRIMARY KEY, name text)", keycloak.DATABASE.role, KC)
    execute("CREATE TABLE u (id int REFERENCES t)", keycloak.DATABASE.role, KC)
    execute("CREATE SEQUENCE s", keycloak.DATABASE.role, KC)
    execute("CREATE ROLE eve")
    assert [change.action for change in planned()] == [Action.REPORT]
    yield
    execute("DROP OWNED BY eve", database=KC)
    execute("DROP OWNED BY eve")
    execute("DROP ROLE eve")
    execute("DROP TABLE u, t", database=KC)
    execute("DROP SEQUENCE s", database=KC)


IN_WAREHOUSE = "databases/warehouse/"
INSIDE = f"databases/{KC}/"
MENDED = (
    # Roles.
    Case(("ALTER ROLE keycloak VALID UNTIL '2020-01-01'",), "roles/keycloak"),
    Case(("ALTER ROLE warehouse_analyst VALID UNTIL '-infinity'",), "roles/warehouse_analyst"),
    Case(("ALTER ROLE eve LOGIN SUPERUSER",), "roles/eve"),
    Case(("ALTER ROLE eve LOGIN CREATEROLE",), "roles/eve"),
    Case(("ALTER ROLE eve LOGIN REPLICATION",), "roles/eve"),
    Case(("ALTER ROLE eve BYPASSRLS",), "roles/eve"),
    Case(("GRANT keycloak TO eve",), "memberships"),
    Case(("GRANT pg_execute_server_program TO eve",), "memberships"),
    Case(("GRANT pg_read_server_files TO eve WITH ADMIN OPTION",), "memberships"),
    Case(("GRANT pg_read_all_data TO keycloak",), "memberships"),
    Case(
        (
            "CREATE ROLE mallory LOGIN",
            "GRANT pg_write_all_data TO mallory WITH ADMIN OPTION",
            "SET ROLE mallory",
            "GRANT pg_write_all_data TO eve",
        ),
        "memberships",
        ("DROP ROLE mallory",),
    ),
    # Settings.
    Case(("ALTER ROLE keycloak SET search_path = evil",), "settings"),
    Case(("ALTER ROLE ALL SET row_security = off",), "settings"),
    Case((f"ALTER DATABASE {KC} SET default_transaction_read_only = on",), "settings"),
    Case(("ALTER DATABASE warehouse SET search_path = evil",), "settings"),
    Case((f"ALTER ROLE test IN DATABASE {KC} SET statement_timeout = 1",), "settings"),
    Case(
        (f"ALTER ROLE keycloak IN DATABASE {KC} SET default_transaction_read_only = on",),
        f"{INSIDE}roles/keycloak",
    ),
    Case(("ALTER ROLE test SET default_transaction_read_only = on",), "settings"),
    Case(("ALTER DATABASE postgres SET role = eve",), "settings"),
    # Databases.
    Case((f"ALTER DATABASE {KC} ALLOW_CONNECTIONS false",), "access", database="postgres"),
    Case((f"ALTER DATABASE {KC} CONNECTION LIMIT 0",), "access"),
    Case((f"ALTER DATABASE {KC} IS_TEMPLATE true",), "access"),
    Case(("GRANT CREATE ON DATABASE template1 TO PUBLIC",), "templates"),
    Case(("GRANT CONNECT ON DATABASE postgres TO keycloak",), "templates"),
    Case(("GRANT SET ON PARAMETER session_preload_libraries TO PUBLIC",), "parameters"),
    Case(("GRANT ALTER SYSTEM ON PARAMETER archive_command TO eve",), "parameters"),
    # What runs unasked.
    Case(
        (
            FUNCTION.format("event_trigger", "", "").replace("RETURN ;", "NULL;"),
            "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
        ),
        f"{INSIDE}event-triggers",
        ("DROP EVENT TRIGGER e", "DROP FUNCTION f()"),
    ),
    Case(
        (
            FUNCTION.format("trigger", "", "NEW"),
            "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        ),
        f"{INSIDE}triggers",
        ("DROP TRIGGER g ON t", "DROP FUNCTION f()"),
    ),
    Case(
        ("CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",),
        f"{INSIDE}triggers",
        ("DROP RULE r ON t",),
    ),
    Case(("ALTER TABLE t DISABLE TRIGGER ALL",), f"{INSIDE}triggers"),
    Case(
        (FUNCTION.format("int", "SECURITY DEFINER", "1"),),
        f"{INSIDE}routines",
        ("DROP FUNCTION f()",),
    ),
    Case(
        ("CREATE PROCEDURE p() LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",),
        f"{INSIDE}routines",
        ("DROP PROCEDURE p()",),
    ),
    Case(
        ("CREATE FUNCTION f() RETURNS int LANGUAGE internal AS 'pg_backend_pid'",),
        f"{INSIDE}routines",
        ("DROP FUNCTION f()",),
    ),
    # Rights.
    Case(("GRANT EXECUTE ON FUNCTION pg_read_file(text) TO PUBLIC",), f"{INSIDE}system"),
    Case(("GRANT EXECUTE ON FUNCTION pg_ls_dir(text) TO eve",), f"{INSIDE}system"),
    Case(("GRANT SELECT ON pg_authid TO keycloak",), f"{INSIDE}system"),
    Case(("GRANT SELECT (rolpassword) ON pg_authid TO PUBLIC",), f"{INSIDE}system"),
    Case(("GRANT CREATE ON SCHEMA pg_catalog TO eve",), f"{INSIDE}system"),
    Case(("GRANT CREATE ON SCHEMA public TO PUBLIC",), f"{INSIDE}public"),
    Case(("ALTER SCHEMA public OWNER TO eve",), f"{INSIDE}public"),
    Case(
        ("GRANT CREATE ON SCHEMA public TO warehouse_dashboard",),
        f"{IN_WAREHOUSE}public",
        database="warehouse",
    ),
    Case(("GRANT SELECT ON t TO PUBLIC",), f"{INSIDE}rights"),
    Case(("GRANT UPDATE (name) ON t TO PUBLIC",), f"{INSIDE}rights"),
    Case(("GRANT USAGE ON SEQUENCE s TO warehouse_loader",), f"{INSIDE}rights"),
    Case(
        ("SELECT lo_create(77)", "GRANT SELECT ON LARGE OBJECT 77 TO PUBLIC"),
        f"{INSIDE}rights",
        ("SELECT lo_unlink(77)",),
    ),
    Case(
        ("ALTER DEFAULT PRIVILEGES FOR ROLE keycloak GRANT SELECT ON TABLES TO PUBLIC",),
        f"{INSIDE}default-privileges",
    ),
    Case(
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE warehouse_loader IN SCHEMA marts"
            " GRANT SELECT ON TABLES TO warehouse_dashboard",
        ),
        f"{IN_WAREHOUSE}default-privileges",
        database="warehouse",
    ),
    # Data.
    Case(("ALTER TABLE t OWNER TO eve",), f"{INSIDE}owners"),
    Case(("ALTER SEQUENCE s OWNER TO test",), f"{INSIDE}owners"),
    Case(
        ("CREATE VIEW v AS SELECT * FROM t", "ALTER VIEW v OWNER TO eve"),
        f"{INSIDE}owners",
        ("DROP VIEW v",),
    ),
    Case(("ALTER TABLE t ENABLE ROW LEVEL SECURITY",), f"{INSIDE}row-security"),
    Case(("ALTER TABLE t FORCE ROW LEVEL SECURITY",), f"{INSIDE}row-security"),
    Case(
        ("CREATE POLICY large ON t FOR SELECT USING (true)",),
        f"{INSIDE}row-security",
        ("DROP POLICY large ON t", "ALTER TABLE t DISABLE ROW LEVEL SECURITY"),
    ),
    Case(("ALTER TABLE u SET UNLOGGED",), f"{INSIDE}unlogged"),
    Case(
        (
            "CREATE FOREIGN DATA WRAPPER w",
            "CREATE SERVER elsewhere FOREIGN DATA WRAPPER w",
            "GRANT USAGE ON FOREIGN SERVER elsewhere TO keycloak",
        ),
        f"{INSIDE}foreign-servers",
        ("DROP SERVER elsewhere", "DROP FOREIGN DATA WRAPPER w"),
    ),
    Case(
        (
            "CREATE SUBSCRIPTION sub CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p"
            " WITH (connect = false)",
            "ALTER SUBSCRIPTION sub ENABLE",
        ),
        f"{INSIDE}subscriptions",
        ("ALTER SUBSCRIPTION sub SET (slot_name = NONE)", "DROP SUBSCRIPTION sub"),
    ),
)


def by_hand(case):
    with connect(case.database) as connection:
        for statement in case.does:
            connection.execute(statement)


@pytest.mark.parametrize("case", MENDED, ids=lambda case: case.does[-1][:60])
def test_it_is_found_named_put_right_and_stays_right(case):
    by_hand(case)
    try:
        found = planned(apply=True)
        assert [change.address for change in effective(found)] == [case.address]
        assert effective(planned()) == []
    finally:
        for statement in case.undo:
            execute(statement, database=case.database)
    assert [change.address for change in planned()] == ["roles/eve"]


def test_policies_that_are_in_force_are_left_alone():
    execute("CREATE POLICY large ON t FOR SELECT USING (id > 5)", database=KC)
    execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY", database=KC)
    try:
        assert [change.address for change in planned(apply=True)] == ["roles/eve"]
    finally:
        execute("DROP POLICY large ON t", database=KC)
        execute("ALTER TABLE t DISABLE ROW LEVEL SECURITY", database=KC)


TOLD = (
    Case(("CREATE ROLE tool LOGIN CREATEDB",), "roles/tool", ("DROP ROLE tool",)),
    Case(("CREATE ROLE tool LOGIN", "GRANT pg_monitor TO tool"), "roles/tool", ("DROP ROLE tool",)),
    Case(("CREATE PUBLICATION p FOR TABLE t",), f"{INSIDE}others", ("DROP PUBLICATION p",)),
    Case(("CREATE SCHEMA theirs",), f"{INSIDE}others", ("DROP SCHEMA theirs",)),
    Case(("CREATE EXTENSION pg_trgm",), f"{INSIDE}extensions/pg_trgm", ("DROP EXTENSION pg_trgm",)),
    Case(("SELECT lo_create(78)",), f"{INSIDE}others", ("SELECT lo_unlink(78)",)),
    Case(("GRANT SELECT ON t TO eve",), f"{INSIDE}rights", ("REVOKE ALL ON t FROM eve",)),
    Case(
        (f"GRANT CONNECT ON DATABASE {KC} TO eve",),
        "access",
        (f"REVOKE CONNECT ON DATABASE {KC} FROM eve",),
    ),
    Case(
        ("CREATE FOREIGN DATA WRAPPER w", "CREATE SERVER elsewhere FOREIGN DATA WRAPPER w"),
        f"{INSIDE}foreign-servers",
        ("DROP SERVER elsewhere", "DROP FOREIGN DATA WRAPPER w"),
    ),
    Case(
        ("SELECT pg_create_physical_replication_slot('theirs', true)",),
        "slots",
        ("SELECT pg_drop_replication_slot('theirs')",),
    ),
)


@pytest.mark.parametrize("case", TOLD, ids=lambda case: case.does[-1][:60])
def test_it_is_told_in_one_line_and_kept(case):
    by_hand(case)
    try:
        found = planned(apply=True)
        assert {change.action for change in found} == {Action.REPORT}
        assert [c.address for c in found if c.address != "roles/eve"] == [case.address]
    finally:
        for statement in case.undo:
            execute(statement, database=case.database)
    assert [change.address for change in planned()] == ["roles/eve"]


def expected(**other):
    with connect() as connection:
        return databases.Expected(**{"data_directory": data_directory(connection), **other})


def plan(whose, open_database=connect):
    with open_database("postgres") as connection:
        return databases.plan(connection, DESIRED, SECRETS, open_database, expected=whose)


def counted():
    with connect() as connection:
        return connection.execute(
            "SELECT count(*), (SELECT count(*) FROM pg_roles) FROM pg_database"
        ).fetchone()


@pytest.fixture
def mark():
    """Put a mark into the data directory, by the server itself; it goes with the test."""

    def put(text):
        with connect() as connection:
            connection.execute(
                f"COPY (SELECT '{text}') TO '{data_directory(connection)}/{identity.MARK}'"
            )

    yield put
    with connect() as connection:
        where = f"{data_directory(connection)}/{identity.MARK}"
        connection.execute(f"COPY (SELECT 1) TO PROGRAM 'rm -f {where}'")


WHOSE = {"programme": "Health", "environment": "production"}


@pytest.mark.parametrize(
    ("other", "text", "said"),
    [
        ({"data_directory": "/var/lib/postgresql/17/main"}, None, "another PostgreSQL answers"),
        (WHOSE, None, "has no mark"),
        (WHOSE, '{"programme": "Health", "environment": "staging"}', r"is of staging \(Health\)"),
        (WHOSE, '{"programme": "Water", "environment": "production"}', r"of production \(Water\)"),
        (WHOSE, "nonsense", "is of None"),
        (WHOSE, "[]", "is of None"),
    ],
)
def test_nothing_is_planned_in_a_cluster_of_others(other, text, said, mark):
    if text:
        mark(text)
    before = counted()
    with pytest.raises(UnreachableError, match=said) as refused:
        plan(expected(**other))
    assert refused.value.remedy
    assert counted() == before


def test_the_environments_own_cluster_is_known_by_its_mark(mark):
    mark('{"programme": "Health", "environment": "production"}')
    assert effective(plan(expected(**WHOSE))) == []


@pytest.fixture
def remade():
    """Make a database of ours anew in another encoding, as a hand may."""
    execute(f"ALTER DATABASE {KC} RENAME TO aside", database="postgres")

    def make(encoding):
        execute(
            f"CREATE DATABASE {KC} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'",
            database="postgres",
        )

    yield make
    execute(f"DROP DATABASE {KC}", database="postgres")
    execute(f"ALTER DATABASE aside RENAME TO {KC}", database="postgres")


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_JP"])
def test_a_database_of_another_encoding_is_refused(encoding, remade):
    remade(encoding)
    with pytest.raises(UnreachableError, match=f"the database {KC} is {encoding}, not UTF8"):
        planned()
    with connect(KC) as connection:
        (name,) = connection.execute("SELECT current_database()").fetchone()
    assert name == KC, "a name is text in every encoding"


def test_what_lies_in_the_template_of_others_is_not_taken_over():
    execute("CREATE TABLE theirs (x int)", database="template1")
    try:
        execute(f"ALTER DATABASE {KC} RENAME TO aside", database="postgres")
        planned(apply=True)
        with connect(KC) as connection, pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT FROM theirs")
    finally:
        execute("DROP TABLE theirs", database="template1")
        execute(f"DROP DATABASE {KC}", database="postgres")
        execute(f"ALTER DATABASE aside RENAME TO {KC}", database="postgres")
