"""What administrators may do with users: Keycloak's fine-grained admin permissions (version 2).

Keycloak's role ``manage-users`` lets its holder give anybody any role, himself first. With these
permissions members of ADMINISTRATOR make, change, disable and delete users and put them into the
platform's groups; they neither grant roles, nor make administrators, nor touch another one.
Whoever administers the realm itself does. Tried against Keycloak 26.7.3.

A permission is skipped for holders of ``view-users`` or ``manage-users``: the group has neither.
"""

import json
from dataclasses import dataclass
from typing import Any

from fhirstack.planes.iam.observed import MANY, Observed, change
from fhirstack.planes.iam.realm import PERMISSIONS_CLIENT
from fhirstack.planes.iam.roles import ADMINISTRATOR_GROUP, MEMBER_GROUPS
from fhirstack.planes.plane import Action, Change

ADMINISTRATORS = "administrators"
REALM_ADMINISTRATORS = "realm administrators"


@dataclass(frozen=True)
class Permission:
    """Scopes of a kind of resource, for whom, and which groups; without any: all of the kind."""

    name: str
    kind: str
    scopes: tuple[str, ...]
    policy: str
    groups: tuple[str, ...] = ()


PERMISSIONS = (
    # Without reset-password: whoever may manage a user may, and that knows administrators.
    Permission(
        "administrators manage users",
        "Users",
        ("view", "manage", "manage-group-membership"),
        ADMINISTRATORS,
    ),
    Permission("administrators see groups", "Groups", ("view", "view-members"), ADMINISTRATORS),
    Permission(
        "administrators choose members",
        "Groups",
        ("manage-membership",),
        ADMINISTRATORS,
        MEMBER_GROUPS,
    ),
    # Of one group: it goes before those of all users.
    Permission(
        "administrators are managed by the realm's",
        "Groups",
        ("manage-members", "manage-membership", "manage-membership-of-members"),
        REALM_ADMINISTRATORS,
        (ADMINISTRATOR_GROUP,),
    ),
)


def plan(observed: Observed) -> list[Change]:
    """Compare policies and permissions."""
    server = _Server(observed)
    changes = server.policies()
    for permission in PERMISSIONS:
        changes += server.permission(permission)
    return changes + server.extra()


class _Server:
    """The resource server of the permissions: a client that Keycloak makes by itself."""

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        found = observed.get("/clients", clientId=PERMISSIONS_CLIENT) or []
        self.base = f"/clients/{found[0]['id']}/authz/resource-server" if found else None
        self.held = {p["name"]: p for p in self._get("/policy", max=MANY) or []}

    def _get(self, path: str, **params: Any) -> Any:
        return self.observed.get(self.base + path, **params) if self.base else None

    def policies(self) -> list[Change]:
        changes = []
        for name, kind in ((ADMINISTRATORS, "group"), (REALM_ADMINISTRATORS, "role")):
            held = self.held.get(name)
            wanted = self._subject(kind) if held else None
            if held and json.loads(held["config"].get(f"{kind}s") or "[]") == wanted:
                continue
            changes.append(
                change(
                    f"admin-permissions/{name}",
                    Action.UPDATE if held else Action.CREATE,
                    None,
                    ADMINISTRATOR_GROUP if kind == "group" else "realm-admin",
                    self._write(f"/policy/{kind}", name, kind),
                )
            )
        return changes

    def _subject(self, kind: str) -> list[dict[str, Any]]:
        if kind == "group":
            return [{"id": self._group_ids()[ADMINISTRATOR_GROUP], "extendChildren": False}]
        client = self.observed.client_id("realm-management")
        path = f"{self.observed.path}/clients/{client}/roles/realm-admin"
        return [{"id": self.observed.admin.get(path)["id"], "required": True}]

    def _write(self, path: str, name: str, kind: str) -> Any:
        def apply() -> None:
            body = {"name": name, f"{kind}s": self._subject(kind), "logic": "POSITIVE"}
            self._put(path, name, body)

        return apply

    def permission(self, wanted: Permission) -> list[Change]:
        held = self.held.get(wanted.name)
        after = {
            "scopes": sorted(wanted.scopes),
            "policies": [wanted.policy],
            "groups": sorted(wanted.groups),
        }
        before = self._seen(held, wanted.kind) if held else None
        if before == after:
            return []

        def apply() -> None:
            ids = self._group_ids()
            policies = self._now("/policy", max=MANY)
            body: dict[str, Any] = {
                "name": wanted.name,
                "resourceType": wanted.kind,
                "scopes": list(wanted.scopes),
                "policies": [p["id"] for p in policies if p["name"] == wanted.policy],
                "decisionStrategy": "UNANIMOUS",
            }
            if wanted.groups:
                body["resources"] = [ids[name] for name in wanted.groups]
            self._put("/permission/scope", wanted.name, body)

        action = Action.UPDATE if held else Action.CREATE
        return [change(f"admin-permissions/{wanted.name}", action, before, after, apply)]

    def extra(self) -> list[Change]:
        """Take away what else was permitted: permissions before the policies that they name."""
        known = {p.name for p in PERMISSIONS} | {ADMINISTRATORS, REALM_ADMINISTRATORS}
        others = [held for name, held in sorted(self.held.items()) if name not in known]
        return [self._drop(held) for held in sorted(others, key=lambda p: p["type"] != "scope")]

    def _drop(self, held: dict[str, Any]) -> Change:
        address, path = f"admin-permissions/{held['name']}", f"/policy/{held['id']}"
        return change(
            address,
            Action.DELETE,
            held["type"],
            None,
            lambda: self.observed.admin.delete(self._base_now() + path),
        )

    def _seen(self, permission: dict[str, Any], kind: str) -> dict[str, Any]:
        """Return what a permission says; the kind itself stands as a resource for all of it."""
        path = f"/permission/{permission['id']}"
        policies = self._get(f"/policy/{permission['id']}/associatedPolicies")
        held = self._get(f"{path}/resources")
        # Without the permissions in force a group has its id for a name.
        resources = {r.get("displayName", r["name"]) for r in held} - {kind}
        return {
            "scopes": sorted(s["name"] for s in self._get(f"{path}/scopes")),
            "policies": sorted(p["name"] for p in policies),
            "groups": sorted(resources),
        }

    def _put(self, path: str, name: str, body: dict[str, Any]) -> None:
        """Write anew: an update keeps what a body does not name."""
        base = self._base_now()
        for held in self._now("/policy", max=MANY):
            if held["name"] == name:
                self.observed.admin.put(f"{base}{path}/{held['id']}", {**body, "id": held["id"]})
                return
        self.observed.admin.post(base + path, body)

    def _base_now(self) -> str:
        client = self.observed.client_id(PERMISSIONS_CLIENT)
        return f"{self.observed.path}/clients/{client}/authz/resource-server"

    def _now(self, path: str, **params: Any) -> Any:
        return self.observed.admin.get(self._base_now() + path, **params)

    def _group_ids(self) -> dict[str, str]:
        groups = self.observed.admin.get(f"{self.observed.path}/groups", max=MANY)
        return {group["name"]: group["id"] for group in groups}
