"""PostgreSQL of the database host: what services need is made, kept, and serves them alone."""

import json
import re

import pytest

pytestmark = pytest.mark.lab

CHANNEL = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
SQL = 'runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d {} -c "{}"'


@pytest.fixture(scope="module")
def served(built):
    """The hosts, with what the services need in PostgreSQL."""
    planned = built("databases", "plan")
    assert planned.code in (0, 1), planned.text
    built.ok("databases", "apply", "--yes")
    return built


def sql(built, statement, database="postgres"):
    return built.shell("db", SQL.format(database, statement)).strip()


def changes(built):
    answer = built("databases", "plan", "--format", "json")
    assert answer.code in (0, 1), answer.text
    found = json.loads(answer.out)["changes"]
    assert answer.code == any(change["action"] != "report" for change in found)
    return {(change["action"], change["address"]) for change in found}


def test_a_plan_changes_nothing_and_shows_no_password(built):
    before = sql(built, "SELECT count(*), md5(string_agg(rolname, ',')) FROM pg_roles")
    answer = built("databases", "plan")
    assert "SCRAM" not in answer.text
    assert sql(built, "SELECT count(*), md5(string_agg(rolname, ',')) FROM pg_roles") == before


def test_what_is_made_stays(served):
    assert changes(served) == set()
    answer = served.ok("databases", "apply", "--yes")
    assert "Nothing differs." in answer.out
    assert served.drift() == {}
    # Two processes of the FHIR server in a cluster: twice the pool of one, and some to spare.
    limits = sql(served, "SELECT rolname, rolconnlimit FROM pg_roles WHERE rolname = 'fhir'")
    assert limits == "fhir|32"


def test_what_hands_changed_is_named_and_put_right(served):
    sql(served, "ALTER ROLE superset SUPERUSER")
    sql(served, "ALTER ROLE keycloak CONNECTION LIMIT -1")
    sql(served, "GRANT CONNECT ON DATABASE fhir TO PUBLIC")
    sql(served, "CREATE ROLE mallory LOGIN")
    try:
        assert changes(served) == {
            ("update", "roles/superset"),
            ("update", "roles/keycloak"),
            ("update", "databases/fhir"),
            ("report", "roles/mallory"),
        }
        assert served("databases", "apply").code == 2  # Nobody can be asked here.
        served.ok("databases", "apply", "--yes")
        assert changes(served) == {("report", "roles/mallory")}
        assert sql(served, "SELECT rolsuper FROM pg_roles WHERE rolname = 'superset'") == "f"
    finally:
        sql(served, "DROP ROLE IF EXISTS mallory")


def test_a_service_on_a_node_gets_in_by_tls_and_no_one_else(served):
    store = served.site.parent / "secrets/production"
    password = (store / "postgresql-fhir").read_text().strip()
    authority = re.search(
        r"-----BEGIN CERT.*?END CERTIFICATE-----\n",
        (store / "tls/authority.pem").read_text(),
        re.DOTALL,
    )
    served.shell("worker-1", f"cat > /run/ca.pem <<'EOF'\n{authority[0]}EOF")
    served.shell(
        "worker-1",
        "apt-get update -qq && apt-get install -qq --no-install-recommends postgresql-client"
        " >/dev/null",
    )

    def asked(host, role, secret, mode="verify-full"):
        way = (
            f"host=production-db.production.internal user={role} dbname={role} connect_timeout=5"
            f" sslmode={mode} sslrootcert=/run/ca.pem"
        )
        return served.shell(
            host, f"PGPASSWORD='{secret}' psql -XAtq '{way}' -c '{CHANNEL}' 2>&1 || true"
        ).strip()

    assert asked("worker-1", "fhir", password) == "t|TLSv1.3"
    assert "password authentication failed" in asked("worker-1", "fhir", "another")
    assert "no encryption" in asked("worker-1", "fhir", password, "disable")
    assert "pg_hba.conf rejects" in asked("worker-1", "postgres", "x")


def test_a_server_that_is_not_there_is_told(served):
    served.shell("db", "systemctl stop postgresql@17-main")
    try:
        answer = served("databases", "plan")
        assert answer.code == 3, answer.text
        assert "production-db: its PostgreSQL does not answer" in answer.err
        assert "fhirstack apply" in answer.err
        assert "Traceback" not in answer.text
    finally:
        served.ok("apply", "--yes", "--host", "production-db")
    assert changes(served) == set()


OTHER = "runuser -u postgres -- psql -XAtq -h /var/run/postgresql -p 5432 -d {} -c '{}'"
COUNTED = "SELECT (SELECT count(*) FROM pg_roles), (SELECT count(*) FROM pg_database)"


def addresses(built, *words):
    answer = built("drift", "--format", "json", "--host", "production-db", *words)
    told = json.loads(answer.out)
    some = told["hosts"]["production-db"]["changes"]
    return answer.code, {c["address"].partition("/")[2]: c["reason"] for c in some}, told


def test_the_databases_are_in_the_view_and_the_exit_code_of_drift(served):
    sql(served, "ALTER ROLE fhir VALID UNTIL '2020-01-01'")
    sql(served, "ALTER DATABASE fhir SET search_path = evil")
    sql(
        served,
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1",
        "fhir",
    )
    sql(served, "CREATE ROLE eve LOGIN SUPERUSER")
    try:
        code, _, told = addresses(served)
        assert code == 1
        assert {change["address"] for change in told["databases"]["changes"]} == {
            "roles/fhir",
            "settings",
            "databases/fhir/routines",
            "roles/eve",
        }
        served.ok("databases", "apply", "--yes")
        assert addresses(served)[0] == 0
        assert sql(served, "SELECT rolsuper, rolcanlogin FROM pg_roles WHERE rolname = 'eve'") == (
            "f|f"
        )
    finally:
        sql(served, "DROP FUNCTION IF EXISTS public.f()", "fhir")
        sql(served, "DROP ROLE IF EXISTS eve")


def test_a_strangers_cluster_on_the_port_is_named_and_never_written(served):
    served.shell(
        "db",
        "systemctl stop postgresql@17-main && pg_createcluster --port 5432 17 other -- -E SQL_ASCII"
        " --locale C && pg_ctlcluster 17 other start",
    )
    try:
        before = served.shell("db", OTHER.format("postgres", COUNTED))
        code, hosts, _ = addresses(served)
        assert code == 1
        assert "is held by postgres" in hosts["place:postgresql"]
        assert "postgresql@17-other.service" in hosts["place:postgresql"]
        found = served("preflight", "--host", "production-db", "--format", "json")
        assert "postgresql@17-other.service" in found.out
        for words in (("plan",), ("apply", "--yes")):
            refused = served("databases", *words)
            assert refused.code == 3
            assert "another PostgreSQL answers" in refused.err
            assert "/var/lib/postgresql/17/other" in refused.err
        refused = served("apply", "--yes", "--host", "production-db")
        assert refused.code == 3
        assert "postgresql@17-other.service" in refused.text
        assert served.shell("db", OTHER.format("postgres", COUNTED)) == before
    finally:
        served.shell("db", "pg_dropcluster --stop 17 other")
        served.ok("apply", "--yes", "--host", "production-db")
    assert changes(served) == set()


def test_the_mark_of_another_environment_shuts_the_cluster(served):
    mark = "/var/lib/postgresql/17/main/fhirstack.json"
    served.shell("db", f"sed -i.kept s/production/staging/ {mark}")
    try:
        assert "its data are of staging" in addresses(served)[1]["postgresql-cluster:17/main"]
        refused = served("databases", "apply", "--yes")
        assert refused.code == 3
        assert "is of staging" in refused.err
        assert "its data are of staging" in served("apply", "--yes", "--host", "production-db").text
    finally:
        served.shell("db", f"mv {mark}.kept {mark}")
    # An earlier release left none: it is taken over, and that is said.
    served.shell("db", f"rm {mark}")
    assert "no mark" in served("databases", "plan").err
    assert "an earlier release made it" in addresses(served)[1]["postgresql-cluster:17/main"]
    served.ok("apply", "--yes", "--host", "production-db")
    assert changes(served) == set()
