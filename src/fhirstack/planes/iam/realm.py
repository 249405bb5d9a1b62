"""The programme's realm as it must be: pure, from the environment. Only these fields are compared.

Facts: the page (three clients); reference of Keycloak 26; OpenSRP's traps (``sub`` needs the scope
``basic``, attributes outside of the user profile vanish silently, the claim must be one string).
"""

from dataclasses import dataclass
from typing import Any

from fhirstack.model.site import Client, Environment
from fhirstack.planes.iam.flows import BINDINGS
from fhirstack.secret import Secret
from fhirstack.services.superset import identity

CLAIM = "fhir_core_app_id"
BUILT_IN_SCOPES = ("basic", "profile", "roles", "web-origins", "acr")
OPTIONAL_SCOPES = ("offline_access",)
PERMISSIONS_CLIENT = "admin-permissions"
"""Keycloak makes it for the fine-grained permissions, and lets nobody change it."""
SCOPE_MAPPERS = {
    "acr": ("acr loa level",),
    "basic": ("sub", "auth_time"),
    "email": ("email", "email verified"),
    "offline_access": (),
    "profile": (
        "birthdate", "family name", "full name", "gender", "given name", "locale", "middle name",
        "nickname", "picture", "profile", "updated at", "username", "website", "zoneinfo",
    ),
    "roles": ("audience resolve", "client roles", "realm roles"),
    "service_account": ("Client Host", "Client ID", "Client IP Address"),
    "web-origins": ("allowed web origins",),
}  # fmt: skip
"""What Keycloak 26's scopes put into tokens: for each in use, the names of its mappers."""
_DAY = 86400
_WORKING_DAY = {"client.session.idle.timeout": "3600", "client.session.max.lifespan": "43200"}
"""A browser session is a working day; the realm's long sessions are for phones."""
_NO_OTHER_GRANTS = {
    "oauth2.device.authorization.grant.enabled": "false",
    "oidc.ciba.grant.enabled": "false",
    "oauth2.jwt.authorization.grant.enabled": "false",
    "standard.token.exchange.enabled": "false",
}
"""Grants that Keycloak knows beside the page's: each is an attribute of a client."""


@dataclass(frozen=True)
class DesiredClient:
    """An OAuth2 client: its declared fields, secret, mappers and service account roles."""

    id: str
    fields: dict[str, Any]
    secret: Secret | None
    mappers: dict[str, dict[str, Any]]
    service_roles: tuple[str, ...] | None
    scopes: tuple[str, ...] = (*BUILT_IN_SCOPES, CLAIM)
    built_in: bool = False
    """Keycloak makes it with the realm: only its fields are declared."""


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
        "registrationEmailAsUsername": False,
        "loginWithEmailAllowed": True,
        "userManagedAccessAllowed": False,
        "organizationsEnabled": False,
        # Else whoever manages users gives himself any role (permissions.py).
        "adminPermissionsEnabled": True,
        **BINDINGS,
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
        # Off: it took two wrong passwords sent at once for an attack, and locked an honest phone.
        # Failures are counted all the same.
        "quickLoginCheckMilliSeconds": 0,
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


_CONFUSABLE = ("Latin", "Greek", "Cyrillic", "Armenian", "Cherokee")


def _one_script() -> str:
    def without_others(script: str) -> str:
        others = "".join(rf"\p{{Is{other}}}" for other in _CONFUSABLE if other != script)
        return f"[^{others}]*"

    return f"^(?:{'|'.join(without_others(script) for script in _CONFUSABLE)})$"


ONE_SCRIPT = _one_script()
"""User names in letters of any script. Those whose letters look alike are not mixed in one name:
an "a" that is Cyrillic among Latin letters is somebody else (Unicode UTS 39, moderately
restrictive). Java's syntax."""


def user_profile_attributes() -> list[dict[str, Any]]:
    """Return the user attributes as they must be; those undeclared Keycloak drops silently.

    A value of None is a setting that must not be there.
    """

    def attribute(name: str, label: str, *, own: bool, limit: int) -> dict[str, Any]:
        return {
            "name": name,
            "displayName": label,
            "required": None,
            "permissions": {
                "view": ["admin", "user"],
                "edit": ["admin", "user"] if own else ["admin"],
            },
            "validations": {"length": {"max": limit}},
            "multivalued": False,
        }

    def shipped(name: str, validations: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": name,
            "required": None,
            "permissions": {"view": ["admin", "user"], "edit": ["admin", "user"]},
            "validations": validations,
        }

    person = {"length": {"max": 255}, "person-name-prohibited-characters": {}}
    return [
        {
            "name": "username",
            "validations": {
                "length": {"min": 2, "max": 255},
                "username-prohibited-characters": {},
                # Keycloak's own lets Latin letters through and no others.
                "up-username-not-idn-homograph": None,
                "pattern": {
                    "pattern": ONE_SCRIPT,
                    "error-message": "error-username-invalid-character",
                },
            },
        },
        # Health workers often have no address, and many people one name: a required attribute
        # that is empty keeps them from every token ("Account is not fully set up").
        shipped("email", {"email": {}, "length": {"max": 255}}),
        shipped("firstName", person),
        shipped("lastName", person),
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
    """Return the page's three clients, Superset's where it runs, and Keycloak's own."""
    declared = environment.realm.clients
    web_base = environment.url("web")
    redirects = [f"{web_base}/oauth/callback/OpenSRP/"]
    web_attributes = {
        "post.logout.redirect.uris": f"{web_base}/*",
        **_WORKING_DAY,
        **_NO_OTHER_GRANTS,
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
                "attributes": _NO_OTHER_GRANTS,
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
                "attributes": {"access.token.lifespan": "300", **_NO_OTHER_GRANTS},
            },
            secrets["client-pipelines"],
            {CLAIM: claim_of_service},
            pipeline_roles,
        ),
    )
    own = (*page, *built_in_clients(environment.realm.name))
    if not environment.runs("superset"):
        return own
    return (*own, _superset(environment, secrets["client-superset"]))


def built_in_clients(realm: str) -> tuple[DesiredClient, ...]:
    """Return the clients that Keycloak makes with a realm, with the grants that the page has.

    ``admin-cli`` would give tokens by password that open the realm's administration, and the
    realm's own console is not used: both are off. Operators use the master realm's.
    """
    public: dict[str, Any] = {"publicClient": True, "bearerOnly": False}
    inner: dict[str, Any] = {"publicClient": False, "bearerOnly": True}
    account = {
        **public,
        "enabled": True,
        "standardFlowEnabled": True,
        "redirectUris": [f"/realms/{realm}/account/*"],
        "webOrigins": [],
        "fullScopeAllowed": False,
    }
    pages = {"attributes": {"pkce.code.challenge.method": "S256"}}
    declared: dict[str, dict[str, Any]] = {
        "account": account,
        "account-console": {**account, **pages},
        "admin-cli": {**public, "enabled": False, "standardFlowEnabled": False},
        "broker": {**inner, "fullScopeAllowed": False},
        "realm-management": {**inner, "fullScopeAllowed": False},
        "security-admin-console": {
            **public,
            "enabled": False,
            "redirectUris": [f"/admin/{realm}/console/*"],
            **pages,
        },
    }
    closed = {
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "serviceAccountsEnabled": False,
    }
    return tuple(
        DesiredClient(name, {**closed, **fields}, None, {}, None, built_in=True)
        for name, fields in declared.items()
    )


def _superset(environment: Environment, secret: Secret) -> DesiredClient:
    """Return Superset's client. Its access tokens carry no role: they open nothing elsewhere."""
    declared = environment.realm.clients.superset
    fields = identity.client_fields(environment)
    return DesiredClient(
        declared.id,
        {
            **_flows(declared, "Superset"),
            **fields,
            "attributes": {**fields["attributes"], **_WORKING_DAY, **_NO_OTHER_GRANTS},
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
