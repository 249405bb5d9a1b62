"""The realm's clients and their scopes, compared and changed.

A client that is declared is compared whole: its flows, mappers and scopes. What was added to it is
taken away, since it changes what its tokens say. Clients of others are told only.
"""

from collections.abc import Iterable
from typing import Any

from fhirstack.planes.iam import realm as desired
from fhirstack.planes.iam.compare import differences, merged, pick
from fhirstack.planes.iam.observed import MANY, Observed, change, foreign
from fhirstack.planes.iam.realm import DesiredClient
from fhirstack.planes.plane import Action, Change
from fhirstack.secret import MASK

_OVERRIDES = "authenticationFlowBindingOverrides"


class ClientPlanner:
    """Plans scopes and clients of one realm."""

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self.admin = observed.admin
        self.path = observed.path

    def scopes(self) -> list[Change]:
        """Compare the application's scope, and what the scopes in use say in tokens."""
        declared, mapper = desired.app_scope(), desired.app_scope_mapper()
        name = declared["name"]
        scopes = {s["name"]: s for s in self.observed.get("/client-scopes") or []}
        defaults = {s["name"] for s in self.observed.get("/default-default-client-scopes") or []}
        changes = []
        same = scopes.get(name)
        if same is None:
            body = {**declared, "protocolMappers": [mapper]}
            changes.append(
                change(
                    f"client-scopes/{name}",
                    Action.CREATE,
                    None,
                    name,
                    lambda: self.admin.post(f"{self.path}/client-scopes", body),
                )
            )
        else:
            changes += self._scope_update(same, declared, mapper)
        if name not in defaults:
            changes.append(
                change(
                    "default-scopes",
                    Action.UPDATE,
                    None,
                    f"+ {name}",
                    lambda: self.admin.put(
                        f"{self.path}/default-default-client-scopes/{self._scope_ids()[name]}"
                    ),
                )
            )
        for shipped, mappers in desired.SCOPE_MAPPERS.items():
            if shipped in scopes:
                changes += self._shipped_scope(scopes[shipped], mappers)
        return changes

    def _scope_ids(self) -> dict[str, str]:
        return {s["name"]: s["id"] for s in self.admin.get(f"{self.path}/client-scopes")}

    def _shipped_scope(self, scope: dict[str, Any], mappers: tuple[str, ...]) -> list[Change]:
        address = f"client-scopes/{scope['name']}"
        path = f"{self.path}/client-scopes/{scope['id']}"
        held = scope.get("protocolMappers") or []
        changes = self._extra_mappers(address, path, held, mappers)
        missing = sorted(set(mappers) - {mapper["name"] for mapper in held})
        return changes + [
            foreign(f"{address}/mappers/{name}", "Keycloak ships it, and it is gone: add it again")
            for name in missing
        ]

    def _scope_update(
        self, same: dict[str, Any], declared: dict[str, Any], mapper: dict[str, Any]
    ) -> list[Change]:
        path = f"{self.path}/client-scopes/{same['id']}"
        address = f"client-scopes/{declared['name']}"
        changes = []
        found = differences(declared, same)
        if found:
            body = merged(same, declared)
            changes.append(
                change(
                    address,
                    Action.UPDATE,
                    pick(same, found),
                    found,
                    lambda: self.admin.put(path, body),
                )
            )
        held = same.get("protocolMappers") or []
        changes += self._mapper(address, path, held, mapper)
        return changes + self._extra_mappers(address, path, held, (mapper["name"],))

    def _mapper(
        self, address: str, path: str, held: list[dict[str, Any]], mapper: dict[str, Any]
    ) -> list[Change]:
        models = f"{path}/protocol-mappers/models"
        address = f"{address}/mappers/{mapper['name']}"
        same = next((m for m in held if m["name"] == mapper["name"]), None)
        if same is None:
            return [
                change(
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
            change(
                address,
                Action.UPDATE,
                pick(same, found),
                found,
                lambda: self.admin.put(f"{models}/{same['id']}", body),
            )
        ]

    def _extra_mappers(
        self, address: str, path: str, held: list[dict[str, Any]], names: Iterable[str]
    ) -> list[Change]:
        known = set(names)

        def drop(mapper: dict[str, Any]) -> Change:
            target = f"{path}/protocol-mappers/models/{mapper['id']}"
            return change(
                f"{address}/mappers/{mapper['name']}",
                Action.DELETE,
                {"protocolMapper": mapper["protocolMapper"], "config": mapper.get("config")},
                None,
                lambda: self.admin.delete(target),
            )

        return [drop(mapper) for mapper in held if mapper["name"] not in known]

    def clients(self, declared: tuple[DesiredClient, ...]) -> list[Change]:
        """Compare every client of the realm."""
        held = {c["clientId"]: c for c in self.observed.get("/clients", max=MANY) or []}
        changes: list[Change] = []
        for client in declared:
            same = held.get(client.id)
            if client.built_in:
                changes += self._built_in(client, same)
            else:
                changes += self._update(client, same) if same else [self._create(client)]
        own = {client.id for client in declared} | {desired.PERMISSIONS_CLIENT}
        return changes + [foreign(f"clients/{name}") for name in sorted(held.keys() - own)]

    def _built_in(self, client: DesiredClient, same: dict[str, Any] | None) -> list[Change]:
        """Compare a client that Keycloak makes with the realm; it may not be there yet."""
        found = self._fields(client, same or {})
        if not found or (same is None and self.observed.realm is not None):
            return []

        def apply() -> None:
            client_id = self.observed.client_id(client.id)
            if client_id is not None:
                path = f"{self.path}/clients/{client_id}"
                held = self.admin.get(path)
                # Keycloak lets nobody write its inner ones; they are as they must be.
                if now := self._fields(client, held):
                    self.admin.put(path, merged(held, now))

        return [
            change(
                f"clients/{client.id}",
                Action.UPDATE,
                pick(same, found) if same else None,
                found,
                apply,
            )
        ]

    @staticmethod
    def _fields(client: DesiredClient, same: dict[str, Any]) -> dict[str, Any]:
        """Return the fields that differ. No client has a flow of its own in another's place."""
        found = differences(client.fields, same)
        overrides = {kind: "" for kind, flow in (same.get(_OVERRIDES) or {}).items() if flow}
        return found | ({_OVERRIDES: overrides} if overrides else {})

    def _create(self, client: DesiredClient) -> Change:
        def apply() -> None:
            body = {
                **client.fields,
                "protocolMappers": list(client.mappers.values()),
                "defaultClientScopes": list(client.scopes),
                "optionalClientScopes": list(desired.OPTIONAL_SCOPES),
            }
            if client.secret:
                body["secret"] = client.secret.reveal()
            self.admin.post(f"{self.path}/clients", body)

        return change(f"clients/{client.id}", Action.CREATE, None, client.fields, apply)

    def _update(self, client: DesiredClient, same: dict[str, Any]) -> list[Change]:
        address = f"clients/{client.id}"
        path = f"{self.path}/clients/{same['id']}"
        changes = []
        fields = self._fields(client, same)
        found, before = dict(fields), pick(same, fields)
        if client.secret and same.get("secret") != client.secret.reveal():
            found["secret"] = before["secret"] = MASK
        if found:

            def apply() -> None:
                body = merged(same, fields)
                if client.secret:
                    body["secret"] = client.secret.reveal()
                self.admin.put(path, body)

            changes.append(change(address, Action.UPDATE, before, found, apply))
        held = same.get("protocolMappers") or []
        for mapper in client.mappers.values():
            changes += self._mapper(address, path, held, mapper)
        changes += self._extra_mappers(address, path, held, client.mappers)
        for kind, wanted in (("default", client.scopes), ("optional", desired.OPTIONAL_SCOPES)):
            changes += self._client_scopes(client, same, kind, wanted)
        return changes

    def _client_scopes(
        self, client: DesiredClient, same: dict[str, Any], kind: str, wanted: tuple[str, ...]
    ) -> list[Change]:
        held = set(same.get(f"{kind}ClientScopes") or [])
        # Keycloak itself gives it to each client with a service account.
        lacking, extra = sorted(set(wanted) - held), sorted(held - {*wanted, "service_account"})
        if not lacking and not extra:
            return []

        def apply() -> None:
            ids = self._scope_ids()
            path = f"{self.path}/clients/{same['id']}/{kind}-client-scopes"
            for name in lacking:
                self.admin.put(f"{path}/{ids[name]}")
            for name in extra:
                self.admin.delete(f"{path}/{ids[name]}")

        return [
            change(
                f"clients/{client.id}/{kind}-scopes",
                Action.UPDATE,
                extra or None,
                lacking or None,
                apply,
            )
        ]
