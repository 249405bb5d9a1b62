"""The plane ``iam``: what differs between the declared realm and Keycloak's, and how to mend it.

Only declared fields are compared. What the tool did not make is reported, never deleted.
"""

from typing import Any
from urllib.parse import quote

from fhirstack.errors import UsageError
from fhirstack.model.site import Environment
from fhirstack.planes.iam import realm as desired_realm
from fhirstack.planes.iam import roles as desired_roles
from fhirstack.planes.iam.admin import KeycloakAdmin
from fhirstack.planes.iam.compare import differences, merged, pick
from fhirstack.planes.iam.realm import DesiredClient
from fhirstack.planes.plane import Action, Change
from fhirstack.secret import MASK, Secret

PLANE = "iam"
BUILT_IN_CLIENTS = frozenset(
    {
        "account",
        "account-console",
        "admin-cli",
        "broker",
        "realm-management",
        "security-admin-console",
    }
)
BUILT_IN_ROLES = frozenset(("offline_access", "uma_authorization"))
_MANY = 2000


def plan(
    admin: KeycloakAdmin, environment: Environment, secrets: dict[str, Secret]
) -> list[Change]:
    """Return the changes, in the order in which they must be made.

    Raises UsageError where the declaration itself is forbidden (implicit flow in production).
    """
    refuse_implicit_in_production(environment)
    planner = _Planner(admin, environment)
    clients = desired_realm.clients(environment, secrets, desired_roles.pipeline_roles())
    return [
        *planner.realm(),
        *planner.roles(),
        *planner.user_profile(),
        *planner.scope(),
        *planner.clients(clients),
        *planner.groups(),
        *planner.service_accounts(clients),
    ]


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
    def __init__(self, admin: KeycloakAdmin, environment: Environment) -> None:
        self.admin = admin
        self.environment = environment
        self.name = environment.realm.name
        self.path = f"/{quote(self.name)}"
        self.observed_realm: dict[str, Any] | None = admin.get(self.path)

    def _get(self, path: str, **params: Any) -> Any:
        """Observe below the realm; None as long as there is no realm."""
        if self.observed_realm is None:
            return None
        return self.admin.get(self.path + path, **params)

    def realm(self) -> list[Change]:
        declared = desired_realm.realm_settings(self.environment)
        if self.observed_realm is None:
            body = {"realm": self.name, **declared}
            return [
                _change("realm", Action.CREATE, None, self.name, lambda: self.admin.post("", body))
            ]
        found = differences(declared, self.observed_realm)
        if not found:
            return []
        before = pick(self.observed_realm, found)
        # The Admin API leaves alone what a realm's body does not name.
        return [
            _change("realm", Action.UPDATE, before, found, lambda: self.admin.put(self.path, found))
        ]

    def roles(self) -> list[Change]:
        declared = desired_roles.catalogue()
        observed = {role["name"] for role in self._get("/roles", max=_MANY) or []}
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
                _change(
                    "roles",
                    Action.CREATE,
                    None,
                    missing,
                    lambda: self.admin.post(f"{self.path}/partialImport", body),
                )
            )
        own = declared.keys() | BUILT_IN_ROLES | {f"default-roles-{self.name.lower()}"}
        changes += [_foreign(f"roles/{name}") for name in sorted(observed - own)]
        return changes

    def user_profile(self) -> list[Change]:
        observed = self._get("/users/profile") or {"attributes": []}
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
            changed = [by_name[name] for name in found]
            self.admin.put(f"{self.path}/users/profile", {**current, "attributes": kept + changed})

        return [_change("user-profile", Action.UPDATE, None, found, apply)]

    def scope(self) -> list[Change]:
        declared, mapper = desired_realm.app_scope(), desired_realm.app_scope_mapper()
        name = declared["name"]
        scopes = {scope["name"]: scope for scope in self._get("/client-scopes") or []}
        defaults = {scope["name"] for scope in self._get("/default-default-client-scopes") or []}
        changes = []
        observed = scopes.get(name)
        if observed is None:
            body = {**declared, "protocolMappers": [mapper]}
            changes.append(
                _change(
                    f"client-scopes/{name}",
                    Action.CREATE,
                    None,
                    name,
                    lambda: self.admin.post(f"{self.path}/client-scopes", body),
                )
            )
        else:
            changes += self._scope_update(observed, declared, mapper)
        if name not in defaults:

            def make_default() -> None:
                ids = {s["name"]: s["id"] for s in self.admin.get(f"{self.path}/client-scopes")}
                self.admin.put(f"{self.path}/default-default-client-scopes/{ids[name]}")

            changes.append(
                _change("default-scopes", Action.UPDATE, None, f"+ {name}", make_default)
            )
        return changes

    def _scope_update(
        self, observed: dict[str, Any], declared: dict[str, Any], mapper: dict[str, Any]
    ) -> list[Change]:
        path = f"{self.path}/client-scopes/{observed['id']}"
        address = f"client-scopes/{declared['name']}"
        changes = []
        found = differences(declared, observed)
        if found:
            body = merged(observed, declared)
            changes.append(
                _change(
                    address,
                    Action.UPDATE,
                    pick(observed, found),
                    found,
                    lambda: self.admin.put(path, body),
                )
            )
        changes += self._mapper(address, path, observed.get("protocolMappers") or [], mapper)
        return changes

    def _mapper(
        self, address: str, path: str, observed: list[dict[str, Any]], mapper: dict[str, Any]
    ) -> list[Change]:
        models = f"{path}/protocol-mappers/models"
        address = f"{address}/mappers/{mapper['name']}"
        same = next((m for m in observed if m["name"] == mapper["name"]), None)
        if same is None:
            return [
                _change(
                    address,
                    Action.CREATE,
                    None,
                    mapper["config"],
                    lambda: self.admin.post(models, mapper),
                )
            ]
        found = differences(mapper, same)
        if not found:
            return []
        body = merged(same, mapper)
        return [
            _change(
                address,
                Action.UPDATE,
                pick(same, found),
                found,
                lambda: self.admin.put(f"{models}/{same['id']}", body),
            )
        ]

    def clients(self, declared: tuple[DesiredClient, ...]) -> list[Change]:
        observed = {c["clientId"]: c for c in self._get("/clients", max=_MANY) or []}
        changes: list[Change] = []
        for client in declared:
            same = observed.get(client.id)
            changes += self._client_update(client, same) if same else [self._client_create(client)]
        own = {client.id for client in declared} | BUILT_IN_CLIENTS
        changes += [_foreign(f"clients/{name}") for name in sorted(observed.keys() - own)]
        return changes

    def _client_create(self, client: DesiredClient) -> Change:
        def apply() -> None:
            body = {
                **client.fields,
                "protocolMappers": list(client.mappers.values()),
                "defaultClientScopes": list(client.scopes),
                "optionalClientScopes": ["offline_access"],
            }
            if client.secret:
                body["secret"] = client.secret.reveal()
            self.admin.post(f"{self.path}/clients", body)

        return _change(f"clients/{client.id}", Action.CREATE, None, client.fields, apply)

    def _client_update(self, client: DesiredClient, observed: dict[str, Any]) -> list[Change]:
        address = f"clients/{client.id}"
        path = f"{self.path}/clients/{observed['id']}"
        changes = []
        found = differences(client.fields, observed)
        before = pick(observed, found)
        if client.secret and observed.get("secret") != client.secret.reveal():
            found["secret"] = before["secret"] = MASK
        if found:

            def apply() -> None:
                body = merged(observed, client.fields)
                if client.secret:
                    body["secret"] = client.secret.reveal()
                self.admin.put(path, body)

            changes.append(_change(address, Action.UPDATE, before, found, apply))
        for mapper in client.mappers.values():
            changes += self._mapper(address, path, observed.get("protocolMappers") or [], mapper)
        lacking = sorted(set(client.scopes) - set(observed.get("defaultClientScopes") or []))
        if lacking:

            def add_scopes() -> None:
                ids = {s["name"]: s["id"] for s in self.admin.get(f"{self.path}/client-scopes")}
                for name in lacking:
                    self.admin.put(f"{path}/default-client-scopes/{ids[name]}")

            changes.append(
                _change(f"{address}/default-scopes", Action.UPDATE, None, lacking, add_scopes)
            )
        return changes

    def groups(self) -> list[Change]:
        observed = {
            group["name"]: group
            for group in self._get("/groups", max=_MANY, briefRepresentation="false") or []
        }
        changes = []
        declared = desired_roles.groups()
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
                    _change(
                        f"groups/{group.name}",
                        action,
                        None,
                        {client or "realm": names for client, names in lacking.items()},
                        self._group_apply(group.name, lacking),
                    )
                )
            for client, names in held.items():
                extra = sorted(set(names) - set(wanted.get(client, ())))
                changes += [_foreign(f"groups/{group.name}/roles/{name}") for name in extra]
        own = {group.name for group in declared}
        changes += [_foreign(f"groups/{name}") for name in sorted(observed.keys() - own)]
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
                    _change(
                        f"clients/{client.id}/service-account",
                        Action.UPDATE,
                        None,
                        lacking,
                        self._service_apply(client.id, lacking),
                    )
                )
            known = {*client.service_roles, f"default-roles-{self.name.lower()}"}
            changes += [
                _foreign(f"clients/{client.id}/service-account/{name}")
                for name in sorted(held - known)
            ]
        return changes

    def _service_user(self, client_id: str) -> str | None:
        found = self._get("/clients", clientId=client_id) or []
        if not found or not found[0].get("serviceAccountsEnabled"):
            return None
        user = self._get(f"/clients/{found[0]['id']}/service-account-user")
        return user["id"] if user else None

    def _service_roles(self, client_id: str) -> set[str]:
        user = self._service_user(client_id)
        if user is None:
            return set()
        held = self._get(f"/users/{user}/role-mappings/realm") or []
        return {role["name"] for role in held}

    def _service_apply(self, client_id: str, lacking: list[str]) -> Any:
        def apply() -> None:
            self.observed_realm = self.admin.get(self.path)
            user = self._service_user(client_id)
            self._map_roles(f"{self.path}/users/{user}", "", lacking)

        return apply

    def _map_roles(self, holder: str, client: str, names: list[str]) -> None:
        if client:
            (found,) = self.admin.get(f"{self.path}/clients", clientId=client)
            source = f"{self.path}/clients/{found['id']}/roles"
            target = f"{holder}/role-mappings/clients/{found['id']}"
        else:
            source, target = f"{self.path}/roles", f"{holder}/role-mappings/realm"
        available = {role["name"]: role for role in self.admin.get(source, max=_MANY)}
        self.admin.post(target, [available[name] for name in names])


def _change(address: str, action: Action, before: Any, after: Any, apply: Any) -> Change:
    return Change(PLANE, address, action, before, after, apply=lambda: (apply(), None)[1])


def _foreign(address: str) -> Change:
    return Change(PLANE, address, Action.REPORT, reason="not made by fhirstack: left as it is")
