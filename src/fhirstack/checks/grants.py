"""Checks of identity: each client's grant, the grants that it must not have, and administrators."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import httpx

from fhirstack.checks.check import Check, require, status_is
from fhirstack.checks.session import Session
from fhirstack.checks.tokens import claims
from fhirstack.planes.iam.realm import built_in_clients as built_in
from fhirstack.planes.iam.roles import ADMINISTRATOR_GROUP

TOGETHER = 5
"""Log-ins at once, as of an app that asks again before it was answered."""


def android_password(session: Session) -> str:
    nurse = session.wake(session.people.nurse)
    tokens = session.tokens_of(nurse)
    found = claims(tokens["access_token"])
    roles = found.get("realm_access", {}).get("roles", [])
    require(found.get("iss") == session.environment.issuer, f"iss is {found.get('iss')}")
    require(found.get("sub") == nurse.user_id, "the token has no right sub")
    require(found.get("fhir_core_app_id") == session.people.app_id, "no fhir_core_app_id")
    require("ANDROID_CLIENT" in roles and "WEB_CLIENT" not in roles, f"roles: {roles}")
    answer = session.http.get(
        f"{session.environment.issuer}/protocol/openid-connect/userinfo",
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
    )
    status_is(answer, 200)
    require(
        answer.json().get("fhir_core_app_id") == session.people.app_id,
        "userinfo has no fhir_core_app_id",
    )
    size = len(tokens["access_token"])
    return f"token and userinfo carry sub, roles and the application; {size} bytes"


def refresh(session: Session) -> str:
    tokens = session.tokens_of(session.wake(session.people.nurse))
    response = session.grant(
        grant_type="refresh_token",
        client_id=session.environment.realm.clients.android.id,
        refresh_token=tokens["refresh_token"],
    )
    return status_is(response, 200, what="refresh_token")


def wrong_password(session: Session) -> str:
    response = session.grant(
        grant_type="password",
        client_id=session.environment.realm.clients.android.id,
        username=session.wake(session.people.colleague).username,
        password="wrong",  # noqa: S106 - it must be wrong
    )
    # The app knows no other word for it: after a 400 it speaks of an error, not of the password.
    return status_is(response, 401, what="a wrong password")


def at_once(session: Session) -> str:
    person = session.wake(session.people.colleague)

    def log_in(_: int) -> httpx.Response:
        return session.grant(
            grant_type="password",
            client_id=session.environment.realm.clients.android.id,
            username=person.username,
            password=person.password.reveal(),
        )

    with ThreadPoolExecutor(TOGETHER) as pool:
        for answer in pool.map(log_in, range(TOGETHER)):
            status_is(answer, 200, what=f"one of {TOGETHER} right log-ins at once")
    return f"{TOGETHER} right log-ins of one user at once: 200"


def built_in_clients(session: Session) -> str:
    cast = session.people
    # One each: the edge counts what is refused of one user, of a check that ran just before too.
    several = (cast.administrator, cast.nurse, cast.colleague, cast.web, cast.mover, cast.viewer)
    for client, person in zip(
        built_in(session.environment.realm.name), cycle(map(session.wake, several)), strict=False
    ):
        response = session.grant(
            grant_type="password",
            client_id=client.id,
            username=person.username,
            password=person.password.reveal(),
        )
        status_is(response, 400, 401, what=f"a password grant by {client.id}")
    return "no client of Keycloak's own gives tokens by password"


def administrators(session: Session) -> str:
    """Try what an administrator of users must not do, on the administrator of the checks."""
    environment, person = session.environment, session.people.administrator
    token = session.tokens_of(session.wake(person))["access_token"]
    base = f"{environment.keycloak_url}/admin/realms/{environment.realm.name}"
    user = f"{base}/users/{person.user_id}"
    role = session.admin.get(f"/{environment.realm.name}/roles/MANAGE_PATIENT")
    (group,) = session.admin.get(
        f"/{environment.realm.name}/groups", search=ADMINISTRATOR_GROUP, exact="true"
    )
    other = f"{base}/users/{session.people.colleague.user_id}"
    password = {"type": "password", "value": secrets.token_urlsafe(24), "temporary": False}
    headers = {"Authorization": f"Bearer {token}"}
    for method, url, body in (
        ("POST", f"{user}/role-mappings/realm", [role]),
        ("POST", f"{other}/role-mappings/realm", [role]),
        ("PUT", f"{other}/groups/{group['id']}", {}),
        ("PUT", f"{user}/reset-password", password),
        ("PUT", user, {"enabled": False}),
        ("POST", f"{user}/logout", {}),
        ("POST", f"{base}/logout-all", {}),
        ("PUT", base, {"bruteForceProtected": False}),
        ("GET", f"{base}/clients", None),
    ):
        answer = session.http.request(method, url, json=body, headers=headers)
        status_is(answer, 401, 403, 404, what=f"{method} {url.removeprefix(base)}")
    # The permission is asked before the rule: this says that it may, and why this one will not do.
    short = {**password, "value": "short"}
    answer = session.http.put(f"{other}/reset-password", json=short, headers=headers)
    status_is(answer, 400, what="a health worker's new password, too short")
    require("minimum length" in answer.text, f"no reason: {answer.text[:160]}")
    return "health workers' passwords, yes; roles, other administrators, all sessions: refused"


def android_no_client_credentials(session: Session) -> str:
    client = session.environment.realm.clients.android.id
    response = session.grant(grant_type="client_credentials", client_id=client)
    return status_is(response, 400, 401, what=f"client_credentials by {client}")


def _password_grant(session: Session, client: str, secret: str) -> str:
    nurse = session.wake(session.people.nurse)
    response = session.http.post(
        session.token_endpoint,
        data={
            "grant_type": "password",
            "username": nurse.username,
            "password": nurse.password.reveal(),
        },
        auth=(client, session.secrets[secret].reveal()),
    )
    return status_is(response, 400, 401, what=f"password grant by {client}")


def web_no_password(session: Session) -> str:
    return _password_grant(session, session.environment.realm.clients.web.id, "client-web")


def pipelines_no_password(session: Session) -> str:
    client = session.environment.realm.clients.pipelines.id
    return _password_grant(session, client, "client-pipelines")


def web_no_client_credentials(session: Session) -> str:
    client = session.environment.realm.clients.web.id
    response = session.http.post(
        session.token_endpoint,
        data={"grant_type": "client_credentials"},
        auth=(client, session.secrets["client-web"].reveal()),
    )
    return status_is(response, 400, 401, what=f"client_credentials by {client}")


def no_default_secret(session: Session) -> str:
    clients = session.environment.realm.clients
    for client in (clients.web.id, clients.pipelines.id):
        for guess in ("", client, "secret", "changeme"):
            response = session.http.post(
                session.token_endpoint,
                data={"grant_type": "client_credentials"},
                auth=(client, guess),
            )
            status_is(response, 400, 401, what=f"{client} with a guessed secret")
    return "guessed client secrets are refused"


def pipelines_token(session: Session) -> str:
    found = claims(session.pipeline_token())
    roles = found.get("realm_access", {}).get("roles", [])
    require("WEB_CLIENT" in roles and "ANDROID_CLIENT" not in roles, f"roles: {roles}")
    writing = [r for r in roles if r.split("_")[0] in ("POST", "PUT", "DELETE", "PATCH", "MANAGE")]
    require(not writing, f"it may write: {', '.join(writing[:5])}")
    require("fhir_core_app_id" in found, "no fhir_core_app_id")
    return f"{len(roles)} roles, none that writes; the application is named"


CHECKS = (
    Check("token.android", "client.android.grant", "Android gets tokens", android_password),
    Check("token.android-refresh", "client.android.grant", "Refreshing works", refresh),
    Check(
        "token.wrong-password",
        "client.android.grant",
        "A wrong password is refused",
        wrong_password,
    ),
    Check("token.at-once", "client.android.grant", "Log-ins at once are no attack", at_once),
    Check(
        "token.built-in", "client.separate", "Keycloak's own clients are closed", built_in_clients
    ),
    Check(
        "token.administrators",
        "services.keycloak",
        "Administrators grant nothing",
        administrators,
    ),
    Check(
        "token.android-no-client-credentials",
        "client.android.no-service-account",
        "No client credentials: Android",
        android_no_client_credentials,
    ),
    Check(
        "token.web-no-password",
        "client.web.no-direct-access",
        "No passwords: FHIR Web",
        web_no_password,
    ),
    Check(
        "token.web-no-client-credentials",
        "client.web.no-service-account",
        "No client credentials: FHIR Web",
        web_no_client_credentials,
    ),
    Check("token.pipelines", "client.pipelines.grant", "Pipelines get tokens", pipelines_token),
    Check(
        "token.pipelines-no-password",
        "client.pipelines.no-direct-access",
        "No passwords: pipelines",
        pipelines_no_password,
    ),
    Check(
        "token.secrets", "client.separate", "Client secrets are not guessable", no_default_secret
    ),
)
