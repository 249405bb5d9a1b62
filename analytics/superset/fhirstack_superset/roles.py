"""The two roles of people who do not administer: every permission that they have, by name.

Written out, not derived from Superset's own roles: a new version must not widen them unseen.
"""

import hashlib

VIEWER, ANALYST, PUBLIC = "Viewer", "Analyst", "Public"

_READ = {
    ("can_read", "Dashboard"),
    ("can_read", "Chart"),
    ("can_read", "Dataset"),
    ("can_read", "Theme"),
    ("can_read", "CurrentUserRestApi"),
    ("can_read", "SecurityRestApi"),
    ("can_read", "user"),
    ("can_write", "CurrentUserRestApi"),
    ("can_read", "DashboardFilterStateRestApi"),
    ("can_write", "DashboardFilterStateRestApi"),
    ("can_read", "DashboardPermalinkRestApi"),
    ("can_write", "DashboardPermalinkRestApi"),
    ("can_dashboard", "Superset"),
    ("can_dashboard_permalink", "Superset"),
    ("can_log", "Superset"),
    ("can_slice", "Superset"),
    ("can_time_range", "Api"),
    ("can_recent_activity", "Log"),
    ("menu_access", "Dashboards"),
    ("menu_access", "Home"),
}

_EXPLORE = {
    ("can_write", "Dashboard"),
    ("can_write", "Chart"),
    ("can_write", "Dataset"),
    ("can_export", "Chart"),
    ("can_export", "Dashboard"),
    ("can_get_or_create_dataset", "Dataset"),
    ("can_get_column_values", "Datasource"),
    ("can_get_drill_info", "Dataset"),
    ("can_external_metadata", "Datasource"),
    ("can_external_metadata_by_name", "Datasource"),
    ("can_get", "Datasource"),
    ("can_samples", "Datasource"),
    ("can_drill", "Dashboard"),
    ("can_view_chart_as_table", "Dashboard"),
    ("can_view_query", "Dashboard"),
    ("can_read", "Database"),
    ("can_explore", "Superset"),
    ("can_explore_json", "Superset"),
    ("can_csv", "Superset"),
    ("can_share_chart", "Superset"),
    ("can_share_dashboard", "Superset"),
    ("can_read", "Explore"),
    ("can_read", "ExploreFormDataRestApi"),
    ("can_write", "ExploreFormDataRestApi"),
    ("can_read", "ExplorePermalinkRestApi"),
    ("can_write", "ExplorePermalinkRestApi"),
    ("menu_access", "Charts"),
    ("menu_access", "Datasets"),
    ("menu_access", "Data"),
}

_SQL = {
    ("can_activate", "TabStateView"),
    ("can_delete", "TabStateView"),
    ("can_delete_query", "TabStateView"),
    ("can_get", "TabStateView"),
    ("can_migrate_query", "TabStateView"),
    ("can_post", "TabStateView"),
    ("can_put", "TabStateView"),
    ("can_delete", "TableSchemaView"),
    ("can_expanded", "TableSchemaView"),
    ("can_post", "TableSchemaView"),
    ("can_execute_sql_query", "SQLLab"),
    ("can_export_csv", "SQLLab"),
    ("can_format_sql", "SQLLab"),
    ("can_get_results", "SQLLab"),
    ("can_read", "SQLLab"),
    ("can_read", "Query"),
    ("can_read", "SavedQuery"),
    ("can_write", "SavedQuery"),
    ("can_read", "SqlLabPermalinkRestApi"),
    ("can_write", "SqlLabPermalinkRestApi"),
    ("can_sqllab", "Superset"),
    ("can_sqllab_history", "Superset"),
    ("menu_access", "SQL Lab"),
    ("menu_access", "SQL Editor"),
    ("menu_access", "Saved Queries"),
    ("menu_access", "Query Search"),
}

ROLES: dict[str, frozenset[tuple[str, str]]] = {
    VIEWER: frozenset(_READ),
    ANALYST: frozenset(_READ | _EXPLORE | _SQL),
    # Everybody who is not logged in, and part of every account: nothing.
    PUBLIC: frozenset(),
}


def definition_digest(role: str) -> str:
    """Return a digest of a role's definition."""
    return hashlib.sha256(repr(sorted(ROLES[role])).encode()).hexdigest()
