"""What people may ask of Superset who look at dashboards and may not explore."""

from typing import Any

from superset import db
from superset.errors import ErrorLevel, SupersetError, SupersetErrorType
from superset.exceptions import QueryClauseValidationException, SupersetSecurityException
from superset.models.dashboard import Dashboard
from superset.models.slice import Slice
from superset.sql.parse import sanitize_clause
from superset.utils.core import DTTM_ALIAS

from fhirstack_superset.stored_sql import own, stored

EXPLORE = ("can_explore", "Superset")
"""Who has this permission makes charts, and so writes SQL of any kind."""


def need_stored(query_context: Any, *others: Any) -> None:
    """Raise SupersetSecurityException unless what is asked is a dataset's, by stored SQL.

    ``others``: queries of SQL Lab, and charts of the kind that Superset had before. No dashboard
    asks for them.
    """
    if any(one is not None for one in others):
        raise _refusal("Dashboards show charts of datasets only.")
    dataset = query_context.datasource
    if dataset.type != "table":
        raise _refusal("Dashboards show charts of datasets only.")
    # Post-processing works on the rows; its columns are labels.
    queries = [
        {key: value for key, value in vars(one).items() if key != "post_processing"}
        for one in query_context.queries
    ]
    columns = {DTTM_ALIAS, *(column.column_name for column in dataset.columns)}
    if own(queries, columns) and (found := own(queries, columns | _stored(dataset))):
        raise _refusal(
            "This asks for SQL that no chart of the dataset has: "
            + "; ".join(sorted(text[:80] for text in found)[:3])
            + ". Ask an analyst to save a chart with it."
        )


def _stored(dataset: Any) -> set[str]:
    charts = db.session.query(Slice.params, Slice.query_context).filter_by(
        datasource_id=dataset.id, datasource_type=dataset.type
    )
    filters = db.session.query(Dashboard.json_metadata)
    texts = stored(setting for row in [*charts, *filters] for setting in row)
    engine = dataset.database.db_engine_spec.engine
    return texts | {_spelled(text, engine) for text in texts}


def _spelled(text: str, engine: str) -> str:
    """Return a condition as Superset spells it before it asks us."""
    try:
        return sanitize_clause(f"({text})", engine)[1:-1]
    except QueryClauseValidationException:
        return text


def _refusal(message: str) -> SupersetSecurityException:
    return SupersetSecurityException(
        SupersetError(
            message=message,
            error_type=SupersetErrorType.DATASOURCE_SECURITY_ACCESS_ERROR,
            level=ErrorLevel.WARNING,
        )
    )
