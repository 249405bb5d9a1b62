"""The assets as files, and what the set-up program makes of differences."""

import re
import sys
from pathlib import Path

import pytest
import yaml

from fhirstack.services.superset import identity
from fhirstack.services.superset.setup import ANALYST_CONNECTION, DASHBOARD_CONNECTION

PROGRAM = Path(__file__).parents[3] / "analytics/superset"
sys.path.insert(0, str(PROGRAM))

from fhirstack_superset import changes, roles  # noqa: E402
from fhirstack_superset.changes import compare  # noqa: E402
from fhirstack_superset.records import Record  # noqa: E402
from fhirstack_superset.settings import Connection, Settings  # noqa: E402
from fhirstack_superset.sources import KINDS, read  # noqa: E402

PLACE = {"place_id", "place_name", "area_id", "area_name"}
TABLES = {
    "patients": {"person_key", "gender", "age_band", "registered_month", "deceased"} | PLACE,
    "service_activity": {"month", "service", "gender", "age_band", "events", "people"} | PLACE,
    "area_activity": {"month", "service", "area_id", "area_name", "events", "people"},
    "data_quality": {"measure", "resource", "records", "problems", "share"},
    "freshness": {"resource", "records", "newest_change", "last_loaded"},
    "sync_runs": {
        *("run_id", "started_at", "finished_at", "status", "resources", "bytes", "seconds"),
    },
}
"""What the warehouse's anonymous schema promises."""

PATHS = sorted((PROGRAM / "assets").rglob("*.yaml"))
FILES = {path: yaml.safe_load(path.read_text("utf-8")) for path in PATHS}


def of(kind):
    return {
        data["uuid"]: data
        for path, data in FILES.items()
        if path.relative_to(PROGRAM / "assets").parts[0] == f"{kind}s"
    }


DATABASES, DATASETS, CHARTS, DASHBOARDS = (of(kind) for kind in KINDS)


def named(assets, key):
    return [pytest.param(data, id=data[key]) for data in assets.values()]


def columns_of(dataset):
    return {column["column_name"] for column in dataset["columns"]}


def metrics_of(dataset):
    return {metric["metric_name"] for metric in dataset["metrics"]}


def test_every_uuid_is_there_once():
    uuids = [data["uuid"] for data in FILES.values()]
    assert len(uuids) == len(set(uuids)) == len(PATHS)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_file_names_no_host_and_no_secret(path):
    text = path.read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"password|secret|localhost|\b\d+\.\d+\.\d+\.\d+\b", text, re.IGNORECASE)


def test_the_connections_are_those_that_the_set_up_fills_in():
    assert set(DATABASES) == {DASHBOARD_CONNECTION, ANALYST_CONNECTION}
    assert DATABASES[DASHBOARD_CONNECTION]["expose_in_sqllab"] is False
    assert DATABASES[ANALYST_CONNECTION]["expose_in_sqllab"] is True


@pytest.mark.parametrize("data", named(DATABASES, "database_name"))
def test_a_connection_only_reads_and_stops_in_time(data):
    assert not any(data[f"allow_{what}"] for what in ("dml", "ctas", "cvas", "file_upload"))
    options = data["extra"]["engine_params"]["connect_args"]["options"]
    assert "default_transaction_read_only=on" in options
    assert re.search(r"statement_timeout=\d+s", options)


@pytest.mark.parametrize("data", named(DATASETS, "table_name"))
def test_a_dataset_is_a_table_that_the_warehouse_promises(data):
    assert data["database_uuid"] == DASHBOARD_CONNECTION
    assert data["schema"] == "marts_anonymous"
    plain = {c["column_name"] for c in data["columns"] if not c.get("expression")}
    assert plain <= TABLES[data["table_name"]]
    words = {
        word for m in data["metrics"] for word in re.findall(r"[a-z_]+\b(?!\()", m["expression"])
    }
    literals = {w for m in data["metrics"] for w in re.findall(r"'(\w+)'", m["expression"])}
    assert words - literals <= TABLES[data["table_name"]]


@pytest.mark.parametrize("data", named(CHARTS, "slice_name"))
def test_a_chart_asks_for_what_its_dataset_has(data):
    dataset = DATASETS[data["dataset_uuid"]]
    params = data["params"]
    columns = {*params.get("groupby", ()), *params.get("all_columns", ())}
    columns |= {params["x_axis"]} if "x_axis" in params else set()
    columns |= {item["subject"] for item in params["adhoc_filters"]}
    assert columns <= columns_of(dataset)
    metrics = {*params.get("metrics", ())} | ({params["metric"]} if "metric" in params else set())
    assert metrics <= metrics_of(dataset)
    assert metrics or params["all_columns"]
    assert params["viz_type"] == data["viz_type"]
    assert data["description"]


def test_there_are_two_dashboards_and_each_chart_is_on_one():
    assert {data["slug"] for data in DASHBOARDS.values()} == {"programme-activity", "data-quality"}
    shown = [
        item["meta"]["uuid"]
        for data in DASHBOARDS.values()
        for item in data["position"].values()
        if isinstance(item, dict) and item["type"] == "CHART"
    ]
    assert sorted(shown) == sorted(CHARTS)


@pytest.mark.parametrize("data", named(DASHBOARDS, "slug"))
def test_a_dashboards_grid_is_whole(data):
    position = {k: v for k, v in data["position"].items() if isinstance(v, dict)}
    for name, item in position.items():
        for child in item.get("children", ()):
            assert position[child]["parents"][-1] == name
        if item["type"] == "ROW":
            assert sum(position[child]["meta"]["width"] for child in item["children"]) == 12
        if item["type"] == "CHART":
            assert CHARTS[item["meta"]["uuid"]]["slice_name"] == item["meta"]["sliceName"]


@pytest.mark.parametrize("data", named(DASHBOARDS, "slug"))
def test_a_filter_asks_for_what_its_dataset_has(data):
    charts = {
        item["meta"]["chartId"]
        for item in data["position"].values()
        if isinstance(item, dict) and item["type"] == "CHART"
    }
    filters = data["metadata"]["native_filter_configuration"]
    assert filters
    for one in filters:
        assert set(one["scope"]["excluded"]) < charts
        assert set(one["cascadeParentIds"]) < {other["id"] for other in filters}
        for target in filter(None, one["targets"]):
            assert target["column"]["name"] in columns_of(DATASETS[target["datasetUuid"]])


def test_every_mapped_role_is_superset_s_own_or_set_up():
    assert set(identity.ROLES.values()) <= {"Admin", *roles.ROLES}


def test_a_viewer_reads_and_nothing_else():
    own_state = {"DashboardFilterStateRestApi", "DashboardPermalinkRestApi", "CurrentUserRestApi"}
    for name, view in roles.ROLES[roles.VIEWER]:
        assert not re.search("export|csv|sql|delete|upload|explore|all_", name), (name, view)
        assert name != "can_write" or view in own_state
        assert view not in {"SQLLab", "Database", "SQL Lab"}


def test_an_analyst_has_all_of_a_viewers_and_administers_nothing():
    assert roles.ROLES[roles.VIEWER] < roles.ROLES[roles.ANALYST]
    for name, view in roles.ROLES[roles.ANALYST]:
        assert not name.startswith("all_")
        assert view not in {"Security", "User", "Role", "List Users", "List Roles"}
    refused = {("can_write", "Database"), ("can_upload", "Database"), ("can_read", "Log")}
    assert not refused & roles.ROLES[roles.ANALYST]


def test_who_is_not_logged_in_has_nothing():
    assert roles.ROLES[roles.PUBLIC] == frozenset()


def settings(password):
    connection = Connection("db.example", 5432, "warehouse", "reader", password)
    connections = dict.fromkeys((DASHBOARD_CONNECTION, ANALYST_CONNECTION), connection)
    return Settings(connection, connections)


def test_an_address_keeps_any_password():
    uri = Connection("h", 1, "d", "r", "a/b@c:d%").uri
    assert uri == "postgresql+psycopg2://r:a%2Fb%40c%3Ad%25@h:1/d"


def test_another_password_is_another_source_for_the_connections_alone():
    before, after = (read(settings(password)) for password in ("one", "two"))
    differs = {a.kind for a, b in zip(before, after, strict=True) if a.digest != b.digest}
    assert differs == {"database"}


KEY = ("chart", "u")
WANTED = {KEY: ("Visits", "v2")}


@pytest.mark.parametrize(
    ("wanted", "records", "states", "expected"),
    [
        (WANTED, {}, {}, [("create", "it was never set up from here")]),
        (WANTED, {KEY: Record("Visits", "v2", "s")}, {KEY: "s"}, []),
        (
            WANTED,
            {KEY: Record("Visits", "v1", "s")},
            {KEY: "s"},
            [("update", "its source changed")],
        ),
        (WANTED, {KEY: Record("Visits", "v2", "s")}, {}, [("create", "it is gone")]),
        (
            WANTED,
            {KEY: Record("Visits", "v2", "s")},
            {KEY: "t"},
            [("update", "it was changed by hand")],
        ),
        (
            {},
            {KEY: Record("Visits", "v2", "s")},
            {KEY: "s"},
            [("delete", "it has no file any more")],
        ),
        ({}, {KEY: Record("Visits", "v2", "s")}, {}, []),
        ({}, {}, {KEY: "a person's own"}, []),
    ],
)
def test_differences(wanted, records, states, expected):
    found = compare(wanted, records, states)
    assert [(change.action, change.reason) for change in found] == expected


def test_a_new_version_sets_up_schema_and_permissions_again():
    old = changes.sources([], "6.1.0", "p")
    records = {key: Record(title, source, "s") for key, (title, source) in old.items()}
    states = dict.fromkeys(old, "s")
    found = compare(changes.sources([], "6.2.0", "p"), records, states)
    assert {change.kind for change in found} == {"schema", "permissions"}
