"""What the server is told: every ``EXPRESS_…`` value that OpenSRP's image reads and that matters.

It reads nothing but its environment. Values that begin from a default of another site, or from a
known password, are all named.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from fhirstack.model.site import Environment
from fhirstack.services import redis
from fhirstack.services.fhir_web.pages import OAUTH_STATE, content_security_policy, protocol

CLIENT_SECRET = "client-web"  # noqa: S105 - a secret's name
SESSION_SECRET = "fhir-web-session"  # noqa: S105 - a secret's name
REDIS_SECRET = "redis-fhir-web"  # noqa: S105 - a secret's name
SECRETS = (SESSION_SECRET, REDIS_SECRET)
"""What is generated for it, beside its client's own secret."""

IMPORT_QUEUE = "fhir-web-import"
REDIS_USER = redis.User(
    "fhir-web",
    REDIS_SECRET,
    # Sessions (connect-redis) and the queue of imports (Bull): the libraries' own prefixes.
    keys=f"sess:* ~bull:{IMPORT_QUEUE}:*",
    commands=(
        f"&bull:{IMPORT_QUEUE}:*",
        *("-@all", "+@read", "+@write", "+@connection", "+@pubsub", "+@transaction"),
        # Bull works by Lua scripts, and asks for the server's version with INFO.
        *("+eval", "+evalsha", "+script|load", "-@dangerous", "+info"),
    ),
)

SESSION_SECONDS = 43200
"""A working day: as long as the realm lets this client's sessions live."""
LOG_BYTES = 5 * 2**20


@dataclass(frozen=True)
class Places:
    """Where the server finds and puts what: paths where it runs."""

    web_root: str
    work: str
    python: str = "python3"


def public_settings(environment: Environment, places: Places, port: int) -> dict[str, str]:
    """Return the values that are no secrets."""
    web, openid = environment.url("web"), protocol(environment)
    return {
        # Only then are cookies for TLS only, and the edge's word on TLS is taken.
        "NODE_ENV": "production",
        "EXPRESS_PORT": str(port),
        "EXPRESS_OPENSRP_CLIENT_ID": environment.realm.clients.web.id,
        "EXPRESS_OPENSRP_OAUTH_STATE": OAUTH_STATE,
        "EXPRESS_OPENSRP_SCOPES": "openid,profile",
        "EXPRESS_OPENSRP_AUTHORIZATION_URL": f"{openid}/auth",
        "EXPRESS_OPENSRP_ACCESS_TOKEN_URL": f"{openid}/token",
        "EXPRESS_OPENSRP_USER_URL": f"{openid}/userinfo",
        "EXPRESS_OPENSRP_CALLBACK_URL": f"{web}/oauth/callback/OpenSRP/",
        "EXPRESS_FRONTEND_OPENSRP_CALLBACK_URL": f"{web}/fe/oauth/callback/opensrp",
        "EXPRESS_KEYCLOAK_LOGOUT_URL": f"{openid}/logout",
        "EXPRESS_SERVER_LOGOUT_URL": f"{web}/logout",
        # Empty, not the documented "null": it would fetch any text that is there.
        "EXPRESS_OPENSRP_LOGOUT_URL": "",
        "EXPRESS_OPENSRP_SERVER_URL": environment.fhir_base,
        "EXPRESS_SESSION_NAME": "fhir-web",
        "EXPRESS_SESSION_PATH": "/",
        "EXPRESS_SESSION_LOGIN_URL": "/login",
        "EXPRESS_FRONTEND_LOGIN_URL": "/fe/login",
        "EXPRESS_ALLOW_TOKEN_RENEWAL": "true",
        "EXPRESS_MAXIMUM_SESSION_LIFE_TIME": str(SESSION_SECONDS),
        "EXPRESS_SESSION_FILESTORE_PATH": f"{places.work}/sessions",
        "EXPRESS_PRELOADED_STATE_FILE": f"{places.work}/state.json",
        "EXPRESS_REACT_BUILD_PATH": places.web_root,
        "EXPRESS_LOGS_FILE_PATH": f"{places.work}/log/error.log",
        "EXPRESS_COMBINED_LOGS_FILE_PATH": f"{places.work}/log/all.log",
        "EXPRESS_MAXIMUM_LOGS_FILE_SIZE": str(LOG_BYTES),
        "EXPRESS_MAXIMUM_LOG_FILES_NUMBER": "3",
        "EXPRESS_CONTENT_SECURITY_POLICY_CONFIG": json.dumps(
            {"useDefaults": False, **content_security_policy(environment)}
        ),
        "EXPRESS_RESPONSE_HEADERS": "{}",
        "EXPRESS_TEMP_CSV_FILE_STORAGE": f"{places.work}/import",
        "EXPRESS_PYTHON_INTERPRETER_PATH": places.python,
        # Else each process makes up a queue of its own.
        "EXPRESS_BULK_UPLOAD_REDIS_QUEUE": IMPORT_QUEUE,
    }


def secret_settings() -> Mapping[str, str]:
    """Return which value is which secret. The Redis address has a secret inside: see below."""
    return {
        "EXPRESS_OPENSRP_CLIENT_SECRET": CLIENT_SECRET,
        "EXPRESS_SESSION_SECRET": SESSION_SECRET,
    }


def redis_url(password: str, address: str) -> str:
    """Return ``EXPRESS_REDIS_STAND_ALONE_URL``: never empty, which makes the server hang."""
    return f"redis://{REDIS_USER.name}:{password}@{address}/0"
