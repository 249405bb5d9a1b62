"""What was set up, and what is there now: in plain SQL, for importing Superset takes seconds.

A row's fingerprint holds what people see and may edit; not when or by whom it was changed.
"""

from dataclasses import dataclass
from typing import Any

TABLE = "fhirstack_setup"

_CREATE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    kind text NOT NULL,
    id text NOT NULL,
    title text NOT NULL,
    source text NOT NULL,
    state text NOT NULL,
    PRIMARY KEY (kind, id)
)"""

_STATES = {
    "database": """
        SELECT uuid::text, md5(ROW(database_name, sqlalchemy_uri, encode(password, 'hex'), extra,
            cache_timeout, expose_in_sqllab, allow_run_async, allow_ctas, allow_cvas, allow_dml,
            allow_file_upload, impersonate_user)::text)
        FROM dbs""",
    "dataset": """
        SELECT t.uuid::text, md5(ROW(t.table_name, t.catalog, t.schema, t.sql, t.database_id,
            t.main_dttm_col, t.description, t.cache_timeout,
            (SELECT array_agg(ROW(c.column_name, c.type, c.is_dttm, c.verbose_name, c.expression,
                c.description, c.groupby, c.filterable) ORDER BY c.column_name)
             FROM table_columns c WHERE c.table_id = t.id),
            (SELECT array_agg(ROW(m.metric_name, m.expression, m.verbose_name, m.d3format,
                m.description) ORDER BY m.metric_name)
             FROM sql_metrics m WHERE m.table_id = t.id))::text)
        FROM tables t""",
    "chart": """
        SELECT uuid::text, md5(ROW(slice_name, viz_type, params, description, cache_timeout,
            datasource_id)::text)
        FROM slices""",
    "dashboard": """
        SELECT d.uuid::text, md5(ROW(d.dashboard_title, d.slug, d.position_json,
            -- A browser writes the colours that it gave to labels, as soon as it may.
            d.json_metadata::jsonb - '{map_label_colors,shared_label_colors,color_scheme_domain,
                color_namespace,label_colors}'::text[],
            d.css, d.description, d.published,
            (SELECT array_agg(s.slice_id ORDER BY s.slice_id)
             FROM dashboard_slices s WHERE s.dashboard_id = d.id))::text)
        FROM dashboards d""",
    "role": """
        SELECT r.name, coalesce(md5(string_agg(p.name || ' on ' || v.name, E'\\n'
            ORDER BY p.name, v.name)), 'none')
        FROM ab_role r
        LEFT JOIN ab_permission_view_role pr ON pr.role_id = r.id
        LEFT JOIN ab_permission_view pv ON pv.id = pr.permission_view_id
        LEFT JOIN ab_permission p ON p.id = pv.permission_id
        LEFT JOIN ab_view_menu v ON v.id = pv.view_menu_id
        GROUP BY r.name""",
    "schema": "SELECT 'alembic', string_agg(version_num, ',') FROM alembic_version",
}


@dataclass(frozen=True)
class Record:
    """What was set up once: from which source, and what Superset made of it."""

    title: str
    source: str
    state: str


Records = dict[tuple[str, str], Record]
States = dict[tuple[str, str], str]


def observe(cursor: Any) -> tuple[Records, States]:
    """Return what was recorded and what is there; nothing of either in a new database."""
    records: Records = {}
    if _exists(cursor, TABLE):
        cursor.execute(f"SELECT kind, id, title, source, state FROM {TABLE}")  # noqa: S608
        records = {(kind, key): Record(*rest) for kind, key, *rest in cursor.fetchall()}
    states: States = {}
    if _exists(cursor, "alembic_version") and _exists(cursor, "ab_permission_view_role"):
        for kind, query in _STATES.items():
            cursor.execute(query)
            states |= {(kind, key): state for key, state in cursor.fetchall() if state}
    return records, states


def write(cursor: Any, sources: dict[tuple[str, str], tuple[str, str]]) -> None:
    """Record these sources ``(title, digest)`` with the states that are there now; no others."""
    cursor.execute(_CREATE)
    _, states = observe(cursor)
    cursor.execute(f"DELETE FROM {TABLE}")  # noqa: S608
    for (kind, key), (title, source) in sources.items():
        cursor.execute(
            f"INSERT INTO {TABLE} (kind, id, title, source, state)"  # noqa: S608
            " VALUES (%s, %s, %s, %s, %s)",
            (kind, key, title, source, states.get((kind, key), "")),
        )


def _exists(cursor: Any, table: str) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table,))
    return bool(cursor.fetchone()[0])
