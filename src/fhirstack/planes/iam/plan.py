"""The plane ``iam``: what differs between the declared realm and Keycloak's, and how to mend it.

Only declared fields are compared. What others made is reported, never deleted; what was added to
the platform's own clients, groups and roles is taken away, since it gives rights.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from fhirstack.errors import UsageError
from fhirstack.model.site import Environment
from fhirstack.planes.iam import flows, found, permissions
from fhirstack.planes.iam import realm as desired_realm
from fhirstack.planes.iam import roles as desired_roles
from fhirstack.planes.iam.admin import KeycloakAdmin
from fhirstack.planes.iam.clients import ClientPlanner
from fhirstack.planes.iam.compare import differences, merged, pick
from fhirstack.planes.iam.observed import MANY, Observed, change, foreign
from fhirstack.planes.iam.realm import DesiredClient
from fhirstack.planes.plane import Action, Change
from fhirstack.secret import Secret

BUILT_IN_ROLES = frozenset(("offline_access", "uma_authorization"))
EVERYBODYS_ROLES = BUILT_IN_ROLES | {"manage-account", "view-profile"}
"""What a realm's default role holds: every user has them."""


def plan(
    admin: KeycloakAdmin, environment: Environment, secrets: dict[str, Secret]
) -> list[Change]:
    """Return the changes, in the order in which they must be made.

    Raises UsageError where the declaration itself is forbidden (implicit flow in production).
    """
    refuse_implicit_in_production(environment)
    observed = Observed(admin, environment)
    planner, clients = _Planner(observed), ClientPlanner(observed)
    declared = desired_realm.clients(environment, secrets, desired_roles.pipeline_roles())
    return [
        *planner.realm(),
        *planner.roles(),
        *planner.everybody(),
        *planner.user_profile(),
        *flows.plan(observed),
        *clients.scopes(),
        *clients.clients(declared),
        *planner.groups(),
        *planner.service_accounts(declared),
        *permissions.plan(observed),
        *_master(admin),
        *found.plan(observed),
    ]


def _master(admin: KeycloakAdmin) -> list[Change]:
    """Compare the realm of the administration itself. No way leads to it from outside."""
    wanted = {"bruteForceProtected": True, "registrationAllowed": False}
    held = admin.get("/master")
    changes = []
    if differences(wanted, held):
        changes.append(
            change(
                "master",
                Action.UPDATE,
                pick(held, wanted),
                wanted,
                lambda: admin.put("/master", wanted),
            )
        )
    off = {"directAccessGrantsEnabled": False}
    (client,) = admin.get("/master/clients", clientId="admin-cli")
    if differences(off, client):
        body = {**client, **off}
        changes.append(
            change(
                "master/clients/admin-cli",
                Action.UPDATE,
                pick(client, off),
                off,
                lambda: admin.put(f"/master/clients/{client['id']}", body),
            )
        )
    return changes


def refuse_implicit_in_production(environment: Environment) -> None:
    """Raise UsageError if a client of a production environment has the implicit flow."""
    declared = environment.realm.clients
    for client in (declared.android, declared.web, declared.pipelines, declared.superset):
        if environment.is_production and client.implicit_flow:
            raise UsageError(
                f"the client {client.id} has the implicit flow in production",
                where=environment.name,
                remedy="Write implicit_flow: false. The page: NOT production.",
            )


class _Planner:
    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self.admin = observed.admin
        self.environment = observed.environment
        self.name = observed.name
        self.path = observed.path

    def realm(self) -> list[Change]:
        declared = desired_realm.realm_settings(self.environment)
        if self.observed.realm is None:
            body = {"realm": self.name, **declared}
            return [
                change("realm", Action.CREATE, None, self.name, lambda: self.admin.post("", body))
            ]
        found = differences(declared, self.observed.realm)
        if not found:
            return []
        before = pick(self.observed.realm, found)
        # The Admin API leaves alone what a realm's body does not name.
        return [
            change("realm", Action.UPDATE, before, found, lambda: self.admin.put(self.path, found))
        ]

    def roles(self) -> list[Change]:
        declared = desired_roles.catalogue()
        held = self.observed.get("/roles", max=MANY) or []
        observed = {role["name"] for role in held}
        changes = []
        missing = sorted(declared.keys() - observed)
        if missing:
            body = {
                "ifResourceExists": "SKIP",
                "roles": {
                    "realm": [{"name": name, "description": declared[name]} for name in missing]
                },
            }
            changes.append(
                change(
                    "roles",
                    Action.CREATE,
                    None,
                    missing,
                    lambda: self.admin.post(f"{self.path}/partialImport", body),
                )
            )
        for role in held:
            if role["composite"] and role["name"] in declared.keys() | BUILT_IN_ROLES:
                changes.append(self._no_composite(role["name"]))
        own = declared.keys() | BUILT_IN_ROLES | {self.observed.default_role}
        changes += [foreign(f"roles/{name}") for name in sorted(observed - own)]
        return changes

    def _no_composite(self, name: str) -> Change:
        """Take out what was put into a role of the catalogue: it is one right."""
        path = f"/roles/{quote(name)}/composites"
        inner = self.observed.get(path) or []
        return change(
            f"roles/{name}",
            Action.UPDATE,
            sorted(role["name"] for role in inner),
            [],
            lambda: self.admin.delete(self.path + path, inner),
        )

    def everybody(self) -> list[Change]:
        """Compare what every user has: the default role, and the default groups."""
        path = f"/roles/{quote(self.observed.default_role)}/composites"
        extra = [r for r in self.observed.get(path) or [] if r["name"] not in EVERYBODYS_ROLES]
        changes = []
        if extra:
            changes.append(
                change(
                    "default-roles",
                    Action.UPDATE,
                    sorted(role["name"] for role in extra),
                    None,
                    lambda: self.admin.delete(self.path + path, extra),
                )
            )
        changes += [self._no_default(group) for group in self.observed.get("/default-groups") or []]
        return changes

    def _no_default(self, group: dict[str, Any]) -> Change:
        target = f"{self.path}/default-groups/{group['id']}"
        address = f"default-groups/{group['name']}"
        return change(
            address, Action.DELETE, group["name"], None, lambda: self.admin.delete(target)
        )

    def user_profile(self) -> list[Change]:
        observed = self.observed.get("/users/profile") or {"attributes": []}
        by_name = {attribute["name"]: attribute for attribute in observed["attributes"]}
        found = {}
        for attribute in desired_realm.user_profile_attributes():
            name = attribute["name"]
            different = differences(attribute, by_name.get(name, {}))
            if different:
                found[name] = different
                by_name[name] = merged(by_name.get(name, {}), attribute)
        if not found:
            return []

        def apply() -> None:
            current = self.admin.get(f"{self.path}/users/profile")
            kept = [a for a in current["attributes"] if a["name"] not in found]
            changed = [_without_none(by_name[name]) for name in found]
            self.admin.put(f"{self.path}/users/profile", {**current, "attributes": kept + changed})

        return [change("user-profile", Action.UPDATE, None, found, apply)]

    def groups(self) -> list[Change]:
        observed = {
            group["name"]: group
            for group in self.observed.get("/groups", max=MANY, briefRepresentation="false") or []
        }
        changes = []
        declared = desired_roles.groups(
            self.environment.application.writes, self.environment.fhir_web.writes
        )
        for group in declared:
            same = observed.get(group.name) or {}
            wanted = {"": group.realm_roles, **group.client_roles}
            held = {"": same.get("realmRoles") or [], **(same.get("clientRoles") or {})}
            lacking = {
                client: names
                for client, roles in wanted.items()
                if (names := sorted(set(roles) - set(held.get(client) or [])))
            }
            action = Action.UPDATE if same else Action.CREATE
            if lacking or not same:
                changes.append(
                    change(
                        f"groups/{group.name}",
                        action,
                        None,
                        {client or "realm": names for client, names in lacking.items()},
                        self._group_apply(group.name, lacking),
                    )
                )
            for client, names in held.items():
                extra = set(names) - set(wanted.get(client, ()))
                changes += self._extra_roles(f"groups/{group.name}", same, client, extra)
            changes += [
                foreign(f"groups/{group.name}/{below['name']}", "its members have its roles too")
                for below in self._below(same)
            ]
        own = {group.name for group in declared}
        changes += [foreign(f"groups/{name}") for name in sorted(observed.keys() - own)]
        return changes

    def _below(self, group: dict[str, Any]) -> list[dict[str, Any]]:
        if not group.get("subGroupCount"):
            return []
        return self.observed.get(f"/groups/{group['id']}/children", max=MANY) or []

    def _extra_roles(
        self, address: str, holder: dict[str, Any], client: str, extra: Iterable[str]
    ) -> list[Change]:
        """Take away rights that were added to a group of the platform's; others' roles are told."""
        known = set(extra) if client else set(extra) & desired_roles.catalogue().keys()
        changes = [foreign(f"{address}/roles/{name}") for name in sorted(set(extra) - known)]
        if known:
            names = sorted(known)
            path = f"{self.path}/groups/{holder.get('id')}"
            changes.append(
                change(
                    address,
                    Action.UPDATE,
                    {client or "realm": names},
                    None,
                    lambda: self._map_roles(path, client, names, remove=True),
                )
            )
        return changes

    def _group_apply(self, name: str, lacking: dict[str, list[str]]) -> Any:
        def apply() -> None:
            found = self.admin.get(f"{self.path}/groups", search=name, exact="true")
            group = next((g["id"] for g in found if g["name"] == name), None)
            group = group or self.admin.post(f"{self.path}/groups", {"name": name})
            for client, names in lacking.items():
                self._map_roles(f"{self.path}/groups/{group}", client, names)

        return apply

    def service_accounts(self, declared: tuple[DesiredClient, ...]) -> list[Change]:
        changes = []
        for client in declared:
            if client.service_roles is None:
                continue
            held = self._service_roles(client.id)
            lacking = sorted(set(client.service_roles) - held)
            if lacking:
                changes.append(
                    change(
                        f"clients/{client.id}/service-account",
                        Action.UPDATE,
                        None,
                        lacking,
                        self._service_apply(client.id, lacking),
                    )
                )
            extra = sorted(held - {*client.service_roles, self.observed.default_role})
            extra += self._service_client_roles(client.id)
            if extra:
                changes.append(
                    change(
                        f"clients/{client.id}/service-account",
                        Action.UPDATE,
                        extra,
                        None,
                        self._service_strip(client.id, set(client.service_roles)),
                    )
                )
        return changes

    def _service_client_roles(self, client_id: str) -> list[str]:
        user = self._service_user(client_id)
        held = (self.observed.get(f"/users/{user}/role-mappings") or {}) if user else {}
        return sorted(
            f"{client}/{role['name']}"
            for client, mapped in (held.get("clientMappings") or {}).items()
            for role in mapped["mappings"]
        )

    def _service_strip(self, client_id: str, kept: set[str]) -> Any:
        def apply() -> None:
            path = f"{self.path}/users/{self._service_user(client_id)}/role-mappings"
            held = self.admin.get(path)
            known = kept | {self.observed.default_role}
            extra = [r for r in held.get("realmMappings") or [] if r["name"] not in known]
            if extra:
                self.admin.delete(f"{path}/realm", extra)
            for mapped in (held.get("clientMappings") or {}).values():
                self.admin.delete(f"{path}/clients/{mapped['id']}", mapped["mappings"])

        return apply

    def _service_user(self, client_id: str) -> str | None:
        found = self.observed.get("/clients", clientId=client_id) or []
        if not found or not found[0].get("serviceAccountsEnabled"):
            return None
        user = self.observed.get(f"/clients/{found[0]['id']}/service-account-user")
        return user["id"] if user else None

    def _service_roles(self, client_id: str) -> set[str]:
        user = self._service_user(client_id)
        if user is None:
            return set()
        held = self.observed.get(f"/users/{user}/role-mappings/realm") or []
        return {role["name"] for role in held}

    def _service_apply(self, client_id: str, lacking: list[str]) -> Any:
        def apply() -> None:
            self.observed.realm = self.admin.get(self.path)
            user = self._service_user(client_id)
            self._map_roles(f"{self.path}/users/{user}", "", lacking)

        return apply

    def _map_roles(
        self, holder: str, client: str, names: list[str], *, remove: bool = False
    ) -> None:
        if client:
            (found,) = self.admin.get(f"{self.path}/clients", clientId=client)
            source = f"{self.path}/clients/{found['id']}/roles"
            target = f"{holder}/role-mappings/clients/{found['id']}"
        else:
            source, target = f"{self.path}/roles", f"{holder}/role-mappings/realm"
        available = {role["name"]: role for role in self.admin.get(source, max=MANY)}
        send = self.admin.delete if remove else self.admin.post
        send(target, [available[name] for name in names])


def _without_none(value: Any) -> Any:
    """Return a setting without what must not be there."""
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return value
