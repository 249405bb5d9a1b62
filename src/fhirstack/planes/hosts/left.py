"""Data that a move of roles would leave behind, while an empty PostgreSQL takes their place."""

from collections.abc import Iterable, Mapping

from fhirstack.errors import FhirstackError
from fhirstack.planes.hosts.plane import HostPlan
from fhirstack.planes.hosts.resources import LeftData, PostgresqlCluster
from fhirstack.planes.plane import Action

OPTION = "--leave-data"
_CLUSTER = f"{PostgresqlCluster.kind}:"
_ROOT = "/var/lib/postgresql/"


def begins_empty(plans: Mapping[str, HostPlan]) -> tuple[str, ...]:
    """Return the hosts on which apply would make an empty PostgreSQL."""
    return tuple(
        name
        for name, plan in plans.items()
        if any(
            change.action is Action.CREATE and change.address.partition("/")[2].startswith(_CLUSTER)
            for change in plan.effective
        )
    )


def refused(empty: Iterable[str], others: Mapping[str, HostPlan]) -> dict[str, FhirstackError]:
    """Return an error for each host that would begin empty beside data left elsewhere."""
    places = [
        f"{name}: {change.before}"
        for name, plan in others.items()
        for change in (*plan.changes, *(change for change, _ in plan.accepted))
        if change.address == f"{name}/{LeftData.kind}" and str(change.before).startswith(_ROOT)
    ]
    if not places:
        return {}
    return {
        name: FhirstackError(
            "an empty PostgreSQL would be made here, while the environment's databases stay"
            f" behind on {', '.join(places)}; nothing was changed on it",
            where=name,
            remedy="give that host its role back; or take them along: stop the services, dump"
            f" there (`pg_dumpall`), `apply {OPTION}`, and restore here",
        )
        for name in empty
    }
