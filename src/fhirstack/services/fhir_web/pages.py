"""What the pages are told: ``config.js``, which every visitor can read, and what they may load."""

import base64
import json

from fhirstack.model.site import Environment
from fhirstack.services import edge

_LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="6" fill="#1b6ca8"/>'
    '<path d="M13 6h6v7h7v6h-7v7h-6v-7H6v-6h7z" fill="#fff"/></svg>'
)
LOGO = "data:image/svg+xml;base64," + base64.b64encode(_LOGO.encode()).decode()
"""A logo that is in the page: the defaults are fetched from another site."""

OAUTH_STATE = "fhir-web-pages"
"""What the pages send to Keycloak and the server compares with: one value for all, so no secret.

Whoever opens ``config.js`` reads it.
"""


def protocol(environment: Environment) -> str:
    """Return where the realm's OpenID Connect endpoints are."""
    return f"{environment.issuer}/protocol/openid-connect"


def settings(environment: Environment, version: str = "") -> dict[str, str]:
    """Return every ``REACT_APP_…`` value that matters. All are public: never a secret.

    Addresses of another site are the defaults of many: each is named here.
    """
    web, openid = environment.url("web"), protocol(environment)
    setting = environment.fhir_web
    return {
        "REACT_APP_WEBSITE_NAME": environment.realm.display_name,
        "REACT_APP_OPENSRP_WEB_VERSION": version,
        "REACT_APP_DOMAIN_NAME": web,
        # Without it the pages log in by the implicit flow, past the server.
        "REACT_APP_BACKEND_ACTIVE": "true",
        "REACT_APP_ENABLE_OPENSRP_OAUTH": "true",
        "REACT_APP_DISABLE_LOGIN_PROTECTION": "false",
        "REACT_APP_AUTHZ_STRATEGY": "keycloak",
        "REACT_APP_EXPRESS_OAUTH_GET_STATE_URL": f"{web}/oauth/state",
        "REACT_APP_EXPRESS_OAUTH_LOGOUT_URL": f"{web}/logout",
        "REACT_APP_OPENSRP_CLIENT_ID": environment.realm.clients.web.id,
        # The pages begin a log-in, the server ends it.
        "REACT_APP_OPENSRP_OAUTH_STATE": OAUTH_STATE,
        "REACT_APP_OPENSRP_OAUTH_SCOPES": "openid,profile",
        "REACT_APP_OPENSRP_ACCESS_TOKEN_URL": f"{openid}/token",
        "REACT_APP_OPENSRP_AUTHORIZATION_URL": f"{openid}/auth",
        "REACT_APP_OPENSRP_USER_URL": f"{openid}/userinfo",
        # Empty, not the documented "null": the pages would fetch any text that is there.
        "REACT_APP_OPENSRP_LOGOUT_URL": "",
        "REACT_APP_OPENSRP_API_BASE_URL": f"{web}/opensrp/rest/",
        "REACT_APP_OPENSRP_API_V2_BASE_URL": f"{web}/opensrp/rest/v2/",
        "REACT_APP_KEYCLOAK_LOGOUT_URL": f"{openid}/logout",
        "REACT_APP_KEYCLOAK_API_BASE_URL": (
            f"{environment.keycloak_url}/admin/realms/{environment.realm.name}"
        ),
        "REACT_APP_KEYCLOAK_USERS_PAGE_SIZE": "20",
        # On its own origin: OpenSRP's endpoints do not answer a request that a browser asks about.
        "REACT_APP_FHIR_API_BASE_URL": edge.web_fhir_base(environment),
        "REACT_APP_ENABLE_FHIR_CARE_TEAM": "true",
        # Without an id its place pages ask for no place at all, and show an error.
        "REACT_APP_FHIR_ROOT_LOCATION_ID": setting.root_location,
        "REACT_APP_ENABLE_FHIR_COMMODITY": "true" if setting.commodity_list else "false",
        "REACT_APP_COMMODITIES_LIST_RESOURCE_ID": setting.commodity_list or "",
        "REACT_APP_ENABLE_FHIR_GROUP": "true",
        "REACT_APP_ENABLE_FHIR_HEALTHCARE_SERVICES": "true",
        "REACT_APP_ENABLE_FHIR_LOCATIONS": "true",
        "REACT_APP_ENABLE_FHIR_PATIENTS": "true",
        "REACT_APP_ENABLE_FHIR_TEAMS": "true",
        "REACT_APP_ENABLE_FHIR_USER_MANAGEMENT": "true",
        "REACT_APP_ENABLE_QUEST": "true",
        "REACT_APP_ENABLE_TEAMS_ASSIGNMENT_MODULE": "true",
        # Off unless named: these menus would be hidden.
        "REACT_APP_ENABLE_USERS": "true",
        "REACT_APP_ENABLE_USER_GROUPS": "true",
        "REACT_APP_ENABLE_USER_ROLES": "true",
        "REACT_APP_ENABLE_USER_SYNC": "true",
        "REACT_APP_PRACTITIONER_TO_ORG_ASSIGNMENT_STRATEGY": "ONE_TO_MANY",
        "REACT_APP_PROJECT_CODE": setting.project,
        "REACT_APP_LANGUAGE_CODE": setting.languages[0],
        "REACT_APP_SUPPORTED_LANGUAGES": ",".join(setting.languages),
        "REACT_APP_ENABLE_LANGUAGE_SWITCHER": "true" if len(setting.languages) > 1 else "false",
        "REACT_APP_DEFAULTS_TABLE_PAGE_SIZE": "10",
        "REACT_APP_MAIN_LOGO_SRC": LOGO,
        "REACT_APP_NAVBAR_BRAND_IMG_SRC": LOGO,
        "REACT_APP_COLLAPSED_LOGO_SRC": LOGO,
        # The samples of its documentation report errors to another site.
        "REACT_APP_SENTRY_CONFIG_JSON": "{}",
    }


def render_config(environment: Environment, version: str = "") -> str:
    """Return ``config.js``. The image reads it as a template: it holds no ``{{``."""
    values = json.dumps(settings(environment, version), indent=2)
    return f"window._env_ = {values};\n"


def origin(url: str) -> str:
    """Return the origin of an address: scheme, name and port."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def content_security_policy(environment: Environment) -> dict[str, list[str]]:
    """Return what the pages may load and whom they may ask: directive to sources."""
    asked = [origin(environment.keycloak_url), origin(environment.fhir_base)]
    return {
        "default-src": ["'self'"],
        "connect-src": ["'self'", *asked],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'", "data:"],
        # Its component library sets styles on elements.
        "style-src": ["'self'", "'unsafe-inline'"],
        "script-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }


def policy_header(environment: Environment) -> str:
    """Return the value of the header ``Content-Security-Policy``, as the server sends it."""
    policy = content_security_policy(environment)
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in policy.items())
