"""What differs between the files, what was set up from them, and what is there: pure."""

from dataclasses import asdict, dataclass

from fhirstack_superset.records import Records, States
from fhirstack_superset.roles import ROLES, definition_digest
from fhirstack_superset.sources import KINDS, Asset

SCHEMA, PERMISSIONS = ("schema", "alembic"), ("permissions", "superset")

Sources = dict[tuple[str, str], tuple[str, str]]


@dataclass(frozen=True)
class Change:
    """One difference. ``action``: create, update or delete."""

    kind: str
    id: str
    title: str
    action: str
    reason: str

    def as_json(self) -> dict[str, str]:
        """Return it as printed."""
        return asdict(self)


def sources(assets: list[Asset], version: str, program: str) -> Sources:
    """Return everything that is set up: its title and the digest of what it is made from."""
    result: Sources = {
        SCHEMA: ("tables of Superset's database", version),
        PERMISSIONS: ("permissions and built-in roles", version),
    }
    for asset in assets:
        result[asset.kind, asset.uuid] = (asset.title, f"{program}:{asset.digest}")
    for role in ROLES:
        result["role", role] = (role, f"{program}:{definition_digest(role)}")
    return result


def compare(wanted: Sources, records: Records, states: States) -> list[Change]:
    """Return the differences, in the order in which they are put right."""
    changes = []
    for (kind, key), (title, source) in wanted.items():
        record = records.get((kind, key))
        state = states.get((kind, key), "")
        if record is None:
            action = "update" if state else "create"
            changes.append(Change(kind, key, title, action, "it was never set up from here"))
        elif record.state and not state:
            changes.append(Change(kind, key, title, "create", "it is gone"))
        elif record.source != source:
            changes.append(Change(kind, key, title, "update", "its source changed"))
        elif record.state != state:
            changes.append(Change(kind, key, title, "update", "it was changed by hand"))
    for (kind, key), record in records.items():
        if (kind, key) not in wanted and kind in KINDS and (kind, key) in states:
            changes.append(Change(kind, key, record.title, "delete", "it has no file any more"))
    return changes
