"""Gives the roles exactly their permissions; whatever else they were given is taken away."""

from superset import db, security_manager

from fhirstack_superset.imports import find
from fhirstack_superset.roles import ANALYST, PUBLIC, ROLES, VIEWER
from fhirstack_superset.sources import Asset


def set_roles(assets: list[Asset]) -> None:
    """Set the roles. Raises LookupError for a permission that this Superset does not know."""
    shown = {
        ("schema_access", find("dataset", asset.uuid).schema_perm)
        for asset in assets
        if asset.kind == "dataset"
    }
    # What SQL Lab offers is what analysts may ask: the other connection is for dashboards.
    asked = {
        ("database_access", find("database", asset.uuid).perm)
        for asset in assets
        if asset.kind == "database" and asset.data["expose_in_sqllab"]
    }
    data = {VIEWER: shown, ANALYST: shown | asked, PUBLIC: set()}
    for name, permissions in ROLES.items():
        role = security_manager.find_role(name) or security_manager.add_role(name)
        wanted = [_permission(*one) for one in sorted(permissions)]
        wanted += [security_manager.add_permission_view_menu(*one) for one in sorted(data[name])]
        if set(role.permissions) != set(wanted):
            role.permissions = wanted
            db.session.add(role)


def _permission(name: str, view: str) -> object:
    found = security_manager.find_permission_view_menu(name, view)
    if found is None:
        raise LookupError(f"Superset has no permission {name} on {view}")
    return found
