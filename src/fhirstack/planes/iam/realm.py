"""The programme's realm as it must be: pure, from the environment. Only these fields are compared.

Facts: the page (three clients); reference of Keycloak 26; OpenSRP's traps (``sub`` needs the scope
``basic``, attributes outside of the user profile vanish silently, the claim must be one string).
"""

from dataclasses import dataclass
from typing import Any

from fhirstack.model.site import Client, Environment
from fhirstack.secret import Secret
from fhirstack.services.superset import identity

CLAIM = "fhir_core_app_id"
BUILT_IN_SCOPES = ("basic", "profile", "roles", "web-origins", "acr")
_DAY = 86400
_WORKING_DAY = {"client.session.idle.timeout": "3600", "client.session.max.lifespan": "43200"}
"""A browser session is a working day; the realm's long sessions are for phones."""


@dataclass(frozen=True)
class DesiredClient:
    """An OAuth2 client: its declared fields, secret, mappers and service account roles."""

    id: str
    fields: dict[str, Any]
    secret: Secret | None
    mappers: dict[str, dict[str, Any]]
    service_roles: tuple[str, ...] | None
    scopes: tuple[str, ...] = (*BUILT_IN_SCOPES, CLAIM)


def realm_settings(environment: Environment) -> dict[str, Any]:
    """Return the realm's own settings."""
    realm = environment.realm
    tokens = realm.tokens
    idle, longest = tokens.session_idle_days * _DAY, tokens.session_max_days * _DAY
    return {
        "enabled": True,
        "displayName": realm.display_name,
        "sslRequired": "external",
        "registrationAllowed": False,
        "resetPasswordAllowed": False,
        "editUsernameAllowed": False,
        "rememberMe": False,
        "duplicateEmailsAllowed": False,
        "defaultSignatureAlgorithm": "RS256",
        "passwordPolicy": realm.password_policy,
        "bruteForceProtected": True,
        "permanentLockout": False,
        "failureFactor": realm.login_failures,
        "waitIncrementSeconds": 60,
        "maxFailureWaitSeconds": 900,
        "maxDeltaTimeSeconds": 43200,
        "minimumQuickLoginWaitSeconds": 60,
        "quickLoginCheckMilliSeconds": 100,
        "accessTokenLifespan": tokens.access_minutes * 60,
        "accessTokenLifespanForImplicitFlow": 300,
        "ssoSessionIdleTimeout": idle,
        "ssoSessionMaxLifespan": longest,
        "clientSessionIdleTimeout": idle,
        "clientSessionMaxLifespan": longest,
        # Rotating refresh tokens lock out phones whose answer was lost on the way.
        "revokeRefreshToken": False,
        "eventsEnabled": True,
        "eventsExpiration": 90 * _DAY,
        "eventsListeners": ["jboss-logging"],
        "adminEventsEnabled": True,
        "adminEventsDetailsEnabled": True,
    }


def user_profile_attributes() -> list[dict[str, Any]]:
    """Return the user attributes that must be declared, else Keycloak drops them silently."""

    def attribute(name: str, label: str, *, own: bool, limit: int) -> dict[str, Any]:
        return {
            "name": name,
            "displayName": label,
            "permissions": {
                "view": ["admin", "user"],
                "edit": ["admin", "user"] if own else ["admin"],
            },
            "validations": {"length": {"max": limit}},
            "multivalued": False,
        }

    return [
        # Decides which records a user reaches: users never edit it themselves.
        attribute(CLAIM, "OpenSRP application", own=False, limit=64),
        attribute("nationalId", "National id", own=False, limit=64),
        attribute("phoneNumber", "Telephone", own=True, limit=32),
    ]


def app_scope() -> dict[str, Any]:
    """Return the client scope that puts the user's application id into tokens and userinfo."""
    return {
        "name": CLAIM,
        "protocol": "openid-connect",
        "attributes": {"include.in.token.scope": "false", "display.on.consent.screen": "false"},
    }


def app_scope_mapper() -> dict[str, Any]:
    """Return the mapper of the scope: one string, also in userinfo, as the Android app reads."""
    return {
        "name": CLAIM,
        "protocol": "openid-connect",
        "protocolMapper": "oidc-usermodel-attribute-mapper",
        "config": {
            "user.attribute": CLAIM,
            "claim.name": CLAIM,
            "jsonType.label": "String",
            "multivalued": "false",
            "aggregate.attrs": "false",
            "access.token.claim": "true",
            "id.token.claim": "true",
            "userinfo.token.claim": "true",
            "introspection.token.claim": "true",
        },
    }


def clients(
    environment: Environment, secrets: dict[str, Secret], pipeline_roles: tuple[str, ...]
) -> tuple[DesiredClient, ...]:
    """Return the page's three clients, and Superset's where it runs."""
    declared = environment.realm.clients
    web_base = environment.url("web")
    redirects = [f"{web_base}/oauth/callback/OpenSRP/"]
    web_attributes = {
        "post.logout.redirect.uris": f"{web_base}/*",
        **_WORKING_DAY,
    }
    claim_of_service = {
        "name": CLAIM,
        "protocol": "openid-connect",
        "protocolMapper": "oidc-hardcoded-claim-mapper",
        "config": {
            "claim.name": CLAIM,
            "claim.value": environment.application.id,
            "jsonType.label": "String",
            "access.token.claim": "true",
            "introspection.token.claim": "true",
        },
    }
    page = (
        DesiredClient(
            declared.android.id,
            {
                **_flows(declared.android, "OpenSRP Android app"),
                "redirectUris": [],
                "webOrigins": [],
            },
            None,
            {},
            None,
        ),
        DesiredClient(
            declared.web.id,
            {
                **_flows(declared.web, "FHIR Web"),
                "redirectUris": redirects,
                "webOrigins": [web_base],
                "attributes": web_attributes,
            },
            secrets["client-web"],
            {},
            None,
        ),
        DesiredClient(
            declared.pipelines.id,
            {
                **_flows(declared.pipelines, "Data pipelines and analytics"),
                "redirectUris": [],
                "webOrigins": [],
                "attributes": {"access.token.lifespan": "300"},
            },
            secrets["client-pipelines"],
            {CLAIM: claim_of_service},
            pipeline_roles,
        ),
    )
    if not environment.runs("superset"):
        return page
    return (*page, _superset(environment, secrets["client-superset"]))


def _superset(environment: Environment, secret: Secret) -> DesiredClient:
    """Return Superset's client. Its access tokens carry no role: they open nothing elsewhere."""
    declared = environment.realm.clients.superset
    fields = identity.client_fields(environment)
    return DesiredClient(
        declared.id,
        {
            **_flows(declared, "Superset"),
            **fields,
            "attributes": {**fields["attributes"], **_WORKING_DAY},
        },
        secret,
        identity.client_mappers(),
        None,
        scopes=("basic", "profile", "email", "acr"),
    )


def _flows(client: Client, title: str) -> dict[str, Any]:
    return {
        "clientId": client.id,
        "name": title,
        "enabled": True,
        "protocol": "openid-connect",
        "publicClient": client.public,
        "clientAuthenticatorType": "client-secret",
        "standardFlowEnabled": client.standard_flow,
        "implicitFlowEnabled": client.implicit_flow,
        "directAccessGrantsEnabled": client.direct_access_grants,
        "serviceAccountsEnabled": client.service_account,
        "consentRequired": False,
        "fullScopeAllowed": True,
    }
