"""Imports assets with Superset's own importers, and removes those that have no file any more."""

from typing import Any

from superset import db
from superset.charts.schemas import ImportV1ChartSchema
from superset.commands.chart.importers.v1.utils import import_chart
from superset.commands.dashboard.importers.v1.utils import (
    find_chart_uuids,
    import_dashboard,
    update_id_refs,
)
from superset.commands.database.importers.v1.utils import import_database
from superset.commands.dataset.importers.v1.utils import import_dataset
from superset.commands.utils import update_chart_config_dataset
from superset.connectors.sqla.models import SqlaTable
from superset.dashboards.schemas import ImportV1DashboardSchema
from superset.databases.schemas import ImportV1DatabaseSchema
from superset.datasets.schemas import ImportV1DatasetSchema
from superset.models.core import Database
from superset.models.dashboard import Dashboard
from superset.models.slice import Slice

from fhirstack_superset.changes import Change
from fhirstack_superset.sources import Asset

_SCHEMAS = {
    "database": ImportV1DatabaseSchema(),
    "dataset": ImportV1DatasetSchema(),
    "chart": ImportV1ChartSchema(),
    "dashboard": ImportV1DashboardSchema(),
}
MODELS = {"database": Database, "dataset": SqlaTable, "chart": Slice, "dashboard": Dashboard}


def find(kind: str, uuid: str) -> Any:
    """Return the object of this uuid, or None."""
    return db.session.query(MODELS[kind]).filter_by(uuid=uuid).one_or_none()


class Importer:
    """Takes assets in the order of their references, and keeps the ids that they got.

    Assets have no owner: nobody but an administrator can change them, and none is needed for
    their import.
    """

    def __init__(self) -> None:
        self.charts: dict[str, int] = {}
        self.datasets: dict[str, dict[str, Any]] = {}

    def take(self, asset: Asset, *, changed: bool) -> None:
        """Import one asset if it changed, and remember its id in any case."""
        if changed:
            config = _SCHEMAS[asset.kind].load(asset.data)
            config["uuid"] = asset.uuid
            getattr(self, f"_{asset.kind}")(config)
            db.session.flush()
        if asset.kind == "dataset":
            dataset = find("dataset", asset.uuid)
            self.datasets[asset.uuid] = {
                "datasource_id": dataset.id,
                "datasource_type": dataset.datasource_type,
                "datasource_name": dataset.table_name,
            }
        if asset.kind == "chart":
            self.charts[asset.uuid] = find("chart", asset.uuid).id

    def _database(self, config: dict[str, Any]) -> None:
        import_database(config, overwrite=True, ignore_permissions=True)

    def _dataset(self, config: dict[str, Any]) -> None:
        config["database_id"] = find("database", str(config["database_uuid"])).id
        import_dataset(config, overwrite=True, ignore_permissions=True)

    def _chart(self, config: dict[str, Any]) -> None:
        dataset = self.datasets[str(config["dataset_uuid"])]
        config = update_chart_config_dataset(config, dataset)
        import_chart(config, overwrite=True, ignore_permissions=True)

    def _dashboard(self, config: dict[str, Any]) -> None:
        config = update_id_refs(config, self.charts, self.datasets)
        charts = [find("chart", uuid) for uuid in find_chart_uuids(config["position"])]
        dashboard = import_dashboard(config, overwrite=True, ignore_permissions=True)
        dashboard.slices = charts


def remove(changes: list[Change]) -> list[Change]:
    """Remove what has no file any more, users before the used; return what people still use."""
    kept = []
    for kind in reversed(MODELS):
        for change in changes:
            if change.kind != kind:
                continue
            found = find(kind, change.id)
            if _in_use(kind, found):
                kept.append(change)
            else:
                db.session.delete(found)
                db.session.flush()
    return kept


def _in_use(kind: str, found: Any) -> bool:
    """Tell whether something else still refers to it; what was imported is gone by then."""
    if kind == "chart":
        return bool(found.dashboards)
    if kind == "dataset":
        charts = db.session.query(Slice).filter_by(datasource_id=found.id, datasource_type="table")
        return charts.first() is not None
    if kind == "database":
        return db.session.query(SqlaTable).filter_by(database_id=found.id).first() is not None
    return False
