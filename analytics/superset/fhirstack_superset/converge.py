"""Puts differences right, inside of one Superset application: making it takes the longest."""

from flask import Flask

from fhirstack_superset import records
from fhirstack_superset.changes import PERMISSIONS, SCHEMA, Change, Sources
from fhirstack_superset.clock import Clock
from fhirstack_superset.sources import KINDS, Asset


def make_application() -> Flask:
    """Return Superset with one connection to its database, and without Redis."""
    from superset import config  # noqa: PLC0415 - seconds; only when there is work to do

    options = config.SQLALCHEMY_ENGINE_OPTIONS
    # Superset commits each of some hundred permissions: nothing is lost if the last are.
    arguments = {**options["connect_args"], "options": "-c synchronous_commit=off"}
    config.SQLALCHEMY_ENGINE_OPTIONS = {
        **options,
        "pool_size": 1,
        "max_overflow": 0,
        "connect_args": arguments,
    }
    config.SESSION_SERVER_SIDE = False
    config.RATELIMIT_ENABLED = False
    for name in ("CACHE", "DATA_CACHE", "FILTER_STATE_CACHE", "EXPLORE_FORM_DATA_CACHE"):
        setattr(config, f"{name}_CONFIG", {"CACHE_TYPE": "NullCache"})
    from superset.app import create_app  # noqa: PLC0415

    return create_app()


def converge(
    changes: list[Change], assets: list[Asset], wanted: Sources, clock: Clock
) -> list[Change]:
    """Apply the changes, all or none; return the removals that people's own work forbids.

    What is not removed is no longer ours: it is left to those who use it.
    """
    with clock("application"):
        application = make_application()
    places = {(change.kind, change.id) for change in changes}
    with application.app_context():
        from superset import appbuilder, db, security_manager  # noqa: PLC0415

        if SCHEMA in places:
            with clock("schema"):
                _upgrade()
        # Else every commit makes it read again what it knows: half of the time goes there.
        db.session().expire_on_commit = False
        try:
            if SCHEMA in places or PERMISSIONS in places:
                with clock("permissions"):
                    appbuilder.add_permissions(update_perms=True)
                    security_manager.sync_role_definitions()
            with clock("assets"):
                kept = _assets(changes, assets)
                db.session.flush()
            with clock("roles"):
                _roles(assets)
                db.session.flush()
            records.write(db.session.connection().connection.cursor(), wanted)
            db.session.commit()
        except BaseException:
            db.session.rollback()
            raise
    return kept


def _upgrade() -> None:
    from flask_migrate import upgrade  # noqa: PLC0415

    upgrade()


def _assets(changes: list[Change], assets: list[Asset]) -> list[Change]:
    from fhirstack_superset.imports import Importer, remove  # noqa: PLC0415

    importer = Importer()
    touched = {(change.kind, change.id) for change in changes if change.action != "delete"}
    # What is made anew has a new number, by which the others refer to it.
    anew = any(change.action == "create" and change.kind in KINDS for change in changes)
    for asset in assets:
        importer.take(asset, changed=anew or (asset.kind, asset.uuid) in touched)
    return remove([change for change in changes if change.action == "delete"])


def _roles(assets: list[Asset]) -> None:
    from fhirstack_superset.grants import set_roles  # noqa: PLC0415

    set_roles(assets)
