"""What Superset needs of Keycloak: one confidential client, three realm roles, one claim."""

from typing import Any

from fhirstack.model.site import Environment

PROVIDER = "keycloak"

ROLES = {
    "SUPERSET_ADMINISTRATOR": "Admin",
    "SUPERSET_ANALYST": "Analyst",
    "SUPERSET_VIEWER": "Viewer",
}
"""Realm role to Superset's role. A person with none of them is refused."""

ROLES_CLAIM = "roles"


def client_fields(environment: Environment) -> dict[str, Any]:
    """Return what is Superset's own of its client: addresses and PKCE."""
    base = environment.url("superset")
    return {
        "redirectUris": [f"{base}/oauth-authorized/{PROVIDER}"],
        "webOrigins": [base],
        "attributes": {
            "pkce.code.challenge.method": "S256",
            "post.logout.redirect.uris": f"{base}/",
        },
    }


def client_mappers() -> dict[str, dict[str, Any]]:
    """Return the mapper that tells Superset a person's realm roles, in userinfo only."""
    return {
        "realm roles": {
            "name": "realm roles",
            "protocol": "openid-connect",
            "protocolMapper": "oidc-usermodel-realm-role-mapper",
            "config": {
                "claim.name": ROLES_CLAIM,
                "jsonType.label": "String",
                "multivalued": "true",
                "userinfo.token.claim": "true",
                "id.token.claim": "false",
                "access.token.claim": "false",
                "introspection.token.claim": "false",
            },
        }
    }
