"""Who reads what of the warehouse, and Superset: holes by hand are found and put right."""

import json
import secrets
from dataclasses import replace

import pytest

from fhirstack.planes.iam.roles import VIEWER_GROUP
from fhirstack.planes.iam.users import User, delete_user, ensure_user
from fhirstack.secret import Secret
from fhirstack.services import pipelines, superset, warehouse
from tests.e2e import analytics
from tests.e2e.keycloak import administration, logged_in
from tests.e2e.waiting import until

pytestmark = pytest.mark.e2e
PASSWORD = secrets.token_urlsafe(24)


@pytest.fixture(scope="module", autouse=True)
def carried(cli):
    """There is something to look at."""
    kept = {"resourceType": "Observation", "id": "kept", "status": "final", "code": {"text": "a"}}
    analytics.write(cli, kept)
    cli.ok("sync")


def changes(cli):
    answer = cli("plan", "--format", "json")
    assert answer.code in (0, 1), answer.text
    return {
        (change["plane"], change["address"]): change for change in json.loads(answer.out)["changes"]
    }


def test_a_hole_in_the_warehouse_is_found_and_closed(cli):
    analytics.query(cli, f"GRANT USAGE ON SCHEMA airbyte TO {warehouse.DASHBOARD}")
    analytics.query(cli, f"GRANT SELECT ON airbyte.patient TO {warehouse.DASHBOARD}")
    answer = cli("verify", "analytics.roles", "--format", "json")
    assert answer.code == 1
    (result,) = json.loads(answer.out)
    assert result["verdict"] == "failed"
    assert "warehouse_dashboard may: SELECT FROM airbyte.patient" in result["evidence"]
    found = changes(cli)
    assert found.keys() == {("databases", "databases/warehouse/schemas")}
    assert "warehouse_dashboard" in repr(found)
    cli.converge()
    assert changes(cli) == {}
    cli.ok("verify", "analytics.roles")


def chart_edited(cli):
    analytics.superset_query(
        cli, "UPDATE slices SET slice_name = 'Not so many' WHERE slice_name = 'Visits'"
    )
    return "chart/Visits"


def dashboard_gone(cli):
    (slug,) = analytics.superset_query(
        cli, "SELECT id, dashboard_title FROM dashboards WHERE slug = 'data-quality'"
    )
    number, title = slug
    for table in ("dashboard_slices", "dashboard_user", "dashboard_roles"):
        analytics.superset_query(cli, f"DELETE FROM {table} WHERE dashboard_id = %s", number)  # noqa: S608
    analytics.superset_query(cli, "DELETE FROM dashboards WHERE id = %s", number)
    return f"dashboard/{title}"


def viewers_may_query(cli):
    analytics.superset_query(
        cli,
        "INSERT INTO ab_permission_view_role (id, permission_view_id, role_id)"
        " SELECT (SELECT max(id) + 1 FROM ab_permission_view_role), pv.id, r.id"
        " FROM ab_permission_view pv JOIN ab_permission p ON p.id = pv.permission_id"
        " JOIN ab_view_menu v ON v.id = pv.view_menu_id, ab_role r"
        " WHERE p.name = 'can_execute_sql_query' AND v.name = 'SQLLab' AND r.name = 'Viewer'",
    )
    return "role/Viewer"


@pytest.mark.parametrize(
    "drift", [chart_edited, dashboard_gone, viewers_may_query], ids=lambda d: d.__name__
)
def test_a_change_by_hand_in_superset_is_found_and_put_right(cli, drift):
    address = drift(cli)
    found = changes(cli)
    assert found.keys() == {("superset", address)}
    assert "by hand" in repr(found) or "it is gone" in repr(found)
    assert address in [change.address for change in cli.converge().changes]
    assert changes(cli) == {}


def person(cli, **fields):
    """Make a viewer of the dashboards in Keycloak, in place of one of the same name."""
    user = User(
        **{"username": "reused", "first_name": "Zawadi", "last_name": "Odhiambo"},
        **{"email": "zawadi@example.org", "app_id": "none", "groups": (VIEWER_GROUP,)},
    )
    with administration(cli) as (admin, realm):
        delete_user(admin, realm, user.username)
        return ensure_user(admin, realm, replace(user, **fields), Secret(PASSWORD))


def account(cli):
    """Log in; return the account's number and names as Superset tells them."""
    with logged_in(cli, "reused", PASSWORD) as (browser, page):
        assert page.status_code == 200, page.text
        answer = browser.get("/api/v1/me/")
        assert answer.status_code == 200, answer.text
        found = answer.json()["result"]
        return found["id"], found["username"], found["first_name"]


def test_an_account_belongs_to_one_person_of_keycloak(cli):
    log = cli.stack.root / "log/superset.log"
    before = log.stat().st_size
    first_id = person(cli)
    number, known_by, _ = account(cli)
    assert known_by == first_id
    with administration(cli) as (admin, realm):
        path = f"/{realm}/users/{first_id}"
        admin.put(path, {**admin.get(path), "email": "new@example.org", "firstName": "Neema"})
    assert account(cli) == (number, first_id, "Neema")

    # Deleted, and made again: another person, with the same e-mail in other letters.
    second_id = person(cli, email="NEW@Example.org")
    other, known_by, _ = account(cli)
    assert (other != number, known_by) == (True, second_id)
    third_id = person(cli, email="zawadi@example.org", first_name="N" * 200)
    assert account(cli)[1] == third_id

    analytics.superset_query(cli, "UPDATE ab_user SET active = false WHERE username = %s", third_id)
    with logged_in(cli, "reused", PASSWORD) as (browser, page):
        assert page.status_code == 403
        assert "switched off" in page.text
        assert browser.get("/api/v1/me/").status_code == 401
    written = log.read_bytes()[before:].decode()
    for private in ("example.org", "zawadi", "neema", "odhiambo", "scrypt", "pbkdf2", "reused"):
        assert private not in written.lower()
    with administration(cli) as (admin, realm):
        delete_user(admin, realm, "reused")


def of_ones_own(text):
    """Return queries that hold this SQL, each at another place."""
    metric = {"expressionType": "SQL", "sqlExpression": text, "label": "own"}
    return (
        {"metrics": [metric]},
        {"columns": [text], "metrics": ["people"]},
        {"columns": [{"sqlExpression": text, "label": "own"}]},
        {"columns": ["area"], "orderby": [[metric, True]], "metrics": ["people"]},
        {"columns": ["area"], "extras": {"where": f"({text}) IS NULL"}},
        {"columns": ["area"], "metrics": ["people"], "extras": {"having": f"({text}) IS NULL"}},
    )


def test_a_viewers_query_has_the_sql_of_stored_charts_alone(cli):
    person(cli)
    chart = "of the test"

    def store(text):
        metric = {"expressionType": "SQL", "sqlExpression": text, "label": "own"}
        condition = {"clause": "WHERE", "expressionType": "SQL", "sqlExpression": f"{text} > 0"}
        analytics.superset_query(
            cli,
            "INSERT INTO slices (slice_name, datasource_id, datasource_type, viz_type, params)"
            " SELECT %s, id, 'table', 'table', %s FROM tables WHERE table_name = 'patients'",
            chart,
            json.dumps({"metrics": [metric], "adhoc_filters": [condition]}),
        )

    with logged_in(cli, "reused", PASSWORD) as (browser, page):
        assert page.status_code == 200, page.text
        sets = browser.get("/api/v1/dataset/").json()["result"]
        (dataset,) = [one["id"] for one in sets if one["table_name"] == "patients"]

        def ask(query, kind="table", number=dataset):
            asked = {
                "datasource": {"id": number, "type": kind},
                "queries": [{"columns": [], "metrics": [], "row_limit": 5, **query}],
                "force": True,
            }
            return browser.post("/api/v1/chart/data", json=asked)

        assert ask({"columns": ["area"], "metrics": ["people"]}).status_code == 200
        for text in ("pg_typeof(1)::text", "sum(length(area_name))", "current_setting('port')"):
            for query in of_ones_own(text):
                answer = ask(query)
                assert answer.status_code == 403, (query, answer.text)
                assert "no chart of the dataset has" in answer.text
        store("sum(length(area_name))")
        try:
            assert ask(of_ones_own("sum(length(area_name))")[0]).status_code == 200
            joined = {"columns": ["area"], "extras": {"having": "(sum(length(area_name)) > 0)"}}
            assert ask({**joined, "metrics": ["people"]}).status_code == 200
            assert ask(of_ones_own("sum(length(area_name)) + 1")[0]).status_code == 403
        finally:
            analytics.superset_query(cli, "DELETE FROM slices WHERE slice_name = %s", chart)
        assert ask(of_ones_own("sum(length(area_name))")[0]).status_code == 403
        # A query of SQL Lab, which names no table, runs as those who may read names.
        analytics.superset_query(
            cli,
            "INSERT INTO query (client_id, database_id, sql, status, tmp_table_name, tab_name)"
            " SELECT 'ofthetest', id, 'SELECT 1 AS one', 'success', '', ''"
            " FROM dbs WHERE database_name LIKE '%%analysts%%'",
        )
        try:
            ((number,),) = analytics.superset_query(
                cli, "SELECT id FROM query WHERE client_id = 'ofthetest'"
            )
            answer = ask(of_ones_own("(SELECT 1)")[0], "query", number)
            assert answer.status_code == 403, answer.text
        finally:
            analytics.superset_query(cli, "DELETE FROM query WHERE client_id = 'ofthetest'")
    with administration(cli) as (admin, realm):
        delete_user(admin, realm, "reused")


def test_the_core_alone_keeps_the_data_and_analytics_come_back_with_it(cli):
    before = analytics.versions(cli)
    counted = analytics.query(cli, "SELECT count(*) FROM marts_anonymous.patients")
    assert before

    result = cli.converge(analytics=False)
    assert {"superset", "sync"} <= {change.address for change in result.changes}
    assert not {"superset", "sync"} & set(cli.status())
    port = cli.stack.port(superset.NAME, "http")
    assert not any(str(port) in line for line in cli("status").out.splitlines())
    answer = cli("sync")
    assert answer.code == 2
    assert "--with analytics" in answer.text
    assert cli("plan").code == 0

    cli.converge(analytics=True)
    until(lambda: cli.status()[pipelines.NAME]["ready"], "the schedule runs")
    assert cli.status()[superset.NAME]["ready"]
    assert analytics.query(cli, "SELECT count(*) FROM marts_anonymous.patients") == counted
    assert {row[:3] for row in before} <= {row[:3] for row in analytics.versions(cli)}
    cli.ok("verify", "superset.numbers", "analytics.roles")
