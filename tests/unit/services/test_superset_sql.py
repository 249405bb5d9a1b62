"""A viewer's query has the SQL of stored charts and no other, wherever Superset takes SQL from."""

import json
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[3] / "analytics" / "superset"))

from fhirstack_superset import stored_sql

COLUMNS = {"month", "area", "visits", "__timestamp"}
CHART = {
    "metrics": [
        "visits",
        {"expressionType": "SQL", "sqlExpression": "sum(visits) / 12.0", "label": "a month"},
    ],
    "groupby": ["area"],
    "adhoc_filters": [
        {"expressionType": "SQL", "clause": "WHERE", "sqlExpression": "visits > 0"},
        {"expressionType": "SQL", "clause": "WHERE", "sqlExpression": "area <> ')'"},
        {"expressionType": "SIMPLE", "clause": "WHERE", "subject": "month", "operator": "=="},
    ],
}
CONTEXT = {"queries": [{"columns": [{"sqlExpression": "left(area, 2)", "label": "two"}]}]}
SETTINGS = [json.dumps(CHART), None, "", json.dumps(CONTEXT)]

STORED = yaml.safe_load("""
- {columns: [area], metrics: [visits]}
- {columns: [], metrics: [{expressionType: SQL, sqlExpression: sum(visits) / 12.0, label: b}]}
- columns: [{columnType: BASE_AXIS, sqlExpression: month, label: month, timeGrain: P1M}]
  orderby: [[{expressionType: SIMPLE, aggregate: SUM, sqlExpression: null, label: c}, false]]
- {columns: [{sqlExpression: "left(area, 2)", label: two}], extras: {where: "", having: ""}}
- {columns: [], extras: {where: (visits > 0), having: null}}
- {columns: [], extras: {where: "(visits > 0) AND (area <> ')')"}}
- {columns: [], extras: {where: "(area <> ')') AND (visits > 0)"}}
- {columns: [], filter: [{col: area, op: IN, val: ["pg_sleep(20)", "Hill"]}]}
- {series_columns: [area], columns: [area], series_limit_metric: visits, row_limit: 10}
""")
OWN = yaml.safe_load("""
- {metrics: [{expressionType: SQL, sqlExpression: pg_sleep(20), label: a}]}
- {metrics: [{expressionType: SQL, sqlExpression: "query_to_xml('…', true, true, '')", label: a}]}
- {metrics: [{expressionType: SQL, sqlExpression: "sum(visits) / 12.0 + 1", label: a month}]}
- {columns: [pg_sleep(20)], metrics: [visits]}
- {columns: [area, "area) FROM x --"], metrics: [visits]}
- {groupby: [pg_sleep(20)], metrics: [visits]}
- {series_columns: [pg_sleep(20)]}
- {columns: [{sqlExpression: pg_sleep(20), label: area}]}
- {columns: [{sqlExpression: month; SELECT 1, label: month, columnType: BASE_AXIS}]}
- {orderby: [[{expressionType: SQL, sqlExpression: pg_sleep(20)}, true]]}
- {series_limit_metric: {expressionType: SQL, sqlExpression: pg_sleep(20), label: a}}
- {filter: [{col: {sqlExpression: pg_sleep(20), label: a}, op: ==, val: 1}]}
- {extras: {where: pg_sleep(20) IS NULL}}
- {extras: {having: pg_sleep(20) IS NULL}}
- {extras: {where: "(visits > 0) AND (pg_sleep(20) IS NULL)"}}
- {extras: {where: "(visits > 0) OR (area <> ')')"}}
- {extras: {where: "(visits > 0) AND pg_sleep(20) IS NULL AND (visits > 0)"}}
- {annotation_layers: [{overrides: {where: pg_sleep(20) IS NULL}}]}
- {metrics: [{expressionType: SQL, sqlExpression: [pg_sleep(20)], label: a}]}
""")


def own(*queries):
    return stored_sql.own(queries, COLUMNS | stored_sql.stored(SETTINGS))


@pytest.mark.parametrize("query", STORED, ids=str)
def test_what_charts_and_filters_ask_passes(query):
    assert own(query) == set()


@pytest.mark.parametrize("query", OWN, ids=str)
def test_sql_of_ones_own_is_found(query):
    found = own(STORED[0], query)
    assert found
    assert found <= set(stored_sql.texts(query))


def test_where_nothing_is_stored_columns_are_all_there_is():
    assert stored_sql.own([{"columns": ["area"]}], COLUMNS) == set()
    assert stored_sql.own([{"extras": {"where": "()"}}], []) == {"()"}
