"""What stands in the realm beside what is declared, and opens a way in: told, never deleted."""

from collections.abc import Iterator

from fhirstack.planes.iam.observed import MANY, Observed, foreign
from fhirstack.planes.iam.roles import PERSONAL_ROLES, catalogue
from fhirstack.planes.plane import Change

_KEYS = frozenset(("rsa-generated", "rsa-enc-generated", "hmac-generated", "aes-generated"))
_POWERS = (
    "create-client", "impersonation", "manage-authorization", "manage-clients", "manage-events",
    "manage-identity-providers", "manage-realm", "manage-users", "realm-admin", "view-users",
)  # fmt: skip
"""Roles of ``realm-management`` that nobody has by the platform's groups."""


def plan(observed: Observed) -> list[Change]:
    """Report foreign ways in, and people who were given rights one by one."""
    return [*_ways_in(observed), *_powers(observed), *_granted(observed)]


def _ways_in(observed: Observed) -> Iterator[Change]:
    for provider in observed.get("/identity-provider/instances") or []:
        yield foreign(f"identity-providers/{provider['alias']}")
    for part in observed.get("/components") or []:
        kind = part["providerType"].rsplit(".", 1)[-1]
        if kind == "UserStorageProvider":
            yield foreign(f"user-federation/{part['name']}")
        elif kind == "KeyProvider" and part["providerId"] not in _KEYS:
            yield foreign(f"keys/{part['name']}", "whoever knows this key makes tokens")
    for access in observed.get("/clients-initial-access") or []:
        yield foreign(f"initial-access/{access['id']}", "its holder registers clients")


def _powers(observed: Observed) -> Iterator[Change]:
    found = observed.get("/clients", clientId="realm-management") or []
    # Compared with its client.
    own = f"service-account-{observed.environment.realm.clients.pipelines.id}"
    for role in _POWERS if found else ():
        holders = observed.get(f"/clients/{found[0]['id']}/roles/{role}/users", max=MANY) or []
        for user in holders:
            if user["username"] != own:
                address = f"users/{user['username']}/roles/{role}"
                yield foreign(address, "granted by hand: it administers the realm")


def _granted(observed: Observed) -> Iterator[Change]:
    """Yield realm roles that people hold by themselves, not by a group.

    Keycloak lists no such thing: the record of what administrators did names the candidates.
    """
    events = observed.get(
        "/admin-events", resourceTypes="REALM_ROLE_MAPPING", operationTypes="CREATE", max=MANY
    )
    paths = {tuple(event["resourcePath"].split("/")[:2]) for event in events or []}
    known = catalogue().keys() - set(PERSONAL_ROLES)
    for kind, user_id in sorted(path for path in paths if len(path) == 2):
        user = observed.get(f"/users/{user_id}") if kind == "users" else None
        # A service account's are compared with its client.
        if user is None or user["username"].startswith("service-account-"):
            continue
        for role in observed.get(f"/users/{user_id}/role-mappings/realm") or []:
            if role["name"] in known:
                yield foreign(
                    f"users/{user['username']}/roles/{role['name']}",
                    "granted to one person by hand, not by a group",
                )
