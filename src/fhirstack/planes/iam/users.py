"""Users that the platform itself makes: a local administrator, demo users, probes of `verify`."""

from dataclasses import dataclass, field
from urllib.parse import quote

from fhirstack.planes.iam.admin import KeycloakAdmin
from fhirstack.planes.iam.realm import CLAIM
from fhirstack.secret import Secret


@dataclass(frozen=True)
class User:
    """A Keycloak user with its groups (names) and extra realm roles."""

    username: str
    first_name: str
    last_name: str
    email: str
    app_id: str
    groups: tuple[str, ...]
    roles: tuple[str, ...] = field(default=())
    enabled: bool = True


def find_user(admin: KeycloakAdmin, realm: str, username: str) -> str | None:
    """Return a user's id, or None."""
    found = admin.get(f"/{quote(realm)}/users", username=username, exact="true") or []
    return str(found[0]["id"]) if found else None


def ensure_user(admin: KeycloakAdmin, realm: str, user: User, password: Secret) -> str:
    """Make a user if there is none of this name; return its id. An existing one is not changed."""
    found = find_user(admin, realm, user.username)
    if found:
        return found
    path = f"/{quote(realm)}"
    # One request makes the user whole: an interrupted run leaves no user without its groups.
    user_id = admin.post(
        f"{path}/users",
        {
            "username": user.username,
            "enabled": user.enabled,
            "emailVerified": bool(user.email),
            "email": user.email,
            "firstName": user.first_name,
            "lastName": user.last_name,
            "attributes": {CLAIM: [user.app_id]},
            "groups": [f"/{name}" for name in user.groups],
            "credentials": [{"type": "password", "value": password.reveal(), "temporary": False}],
        },
    )
    if user.roles:
        roles = [admin.get(f"{path}/roles/{quote(name)}") for name in user.roles]
        admin.post(f"{path}/users/{user_id}/role-mappings/realm", roles)
    return user_id


def delete_user(admin: KeycloakAdmin, realm: str, username: str) -> None:
    """Delete a user if it exists."""
    found = find_user(admin, realm, username)
    if found:
        admin.delete(f"/{quote(realm)}/users/{found}")
