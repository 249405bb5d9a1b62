"""The realm as it is, seen once for a plan; and how its changes are written down."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from fhirstack.model.site import Environment
from fhirstack.planes.iam.admin import KeycloakAdmin
from fhirstack.planes.plane import Action, Change

PLANE = "iam"
VERIFICATION = "fhirstack-verify"
"""What the names of all people, groups and clients begin with that the checks make."""
MANY = 2000
"""More than a realm has of anything that is listed whole."""


class Observed:
    """A realm's administration. ``realm`` is None as long as there is no realm."""

    def __init__(self, admin: KeycloakAdmin, environment: Environment) -> None:
        self.admin = admin
        self.environment = environment
        self.name = environment.realm.name
        self.path = f"/{quote(self.name)}"
        self.realm: dict[str, Any] | None = admin.get(self.path)

    @property
    def default_role(self) -> str:
        """The role that every user of the realm has."""
        return f"default-roles-{self.name.lower()}"

    def get(self, path: str, **params: Any) -> Any:
        """Observe below the realm; None as long as there is no realm."""
        if self.realm is None:
            return None
        return self.admin.get(self.path + path, **params)

    def client_id(self, client: str) -> str | None:
        """Return the id of a client now, also of one that was made since the plan began."""
        found = self.admin.get(f"{self.path}/clients", clientId=client)
        return str(found[0]["id"]) if found else None


def change(
    address: str, action: Action, before: Any, after: Any, apply: Callable[[], object]
) -> Change:
    """Return a change of this plane."""
    return Change(PLANE, address, action, before, after, apply=lambda: (apply(), None)[1])


def foreign(address: str, reason: str = "not made by fhirstack: left as it is") -> Change:
    """Return the report of something that is not declared: others made it, or a check did."""
    if _of_a_check(address):
        reason = (
            "left by an interrupted `verify`, or of one that runs:"
            " the next `verify` or `up` removes it"
        )
    return Change(PLANE, address, Action.REPORT, reason=reason)


def _of_a_check(address: str) -> bool:
    """Tell whether ``kind/name`` or ``kind/name/…`` is of something that only checks make."""
    name = address.split("/")[1].removeprefix("service-account-")
    return name == VERIFICATION or name.startswith(f"{VERIFICATION}-")
