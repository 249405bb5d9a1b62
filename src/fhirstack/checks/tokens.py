"""Checks of identity: each grant, each refused grant, and tokens that must not work."""

import base64
import html
import json
import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from fhirstack.checks.check import Check, FailedError, refused, require, status_is
from fhirstack.checks.session import Person, Session, trusting_client
from fhirstack.planes.iam.realm import built_in_clients as built_in
from fhirstack.planes.iam.roles import ADMINISTRATOR_GROUP

ANYTHING = "Patient?_count=1"
LATEST_SECONDS = 30
TOGETHER = 5
"""Log-ins at once, as of an app that asks again before it was answered."""


def claims(token: str) -> dict[str, Any]:
    """Return a token's claims, without checking it."""
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return found


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
    person = session.wake(session.people.administrator)
    for client in built_in(session.environment.realm.name):
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


def authorization_code(session: Session) -> str:
    tokens = log_in(session, session.people.web)
    roles = claims(tokens["access_token"]).get("realm_access", {}).get("roles", [])
    require("WEB_CLIENT" in roles, f"roles: {roles}")
    return status_is(
        session.fhir("GET", ANYTHING, tokens["access_token"]), 200, what="code → token"
    )


def log_in(session: Session, person: Person) -> dict[str, str]:
    """Log a person in by the authorization code grant, through Keycloak's own login page."""
    session.wake(person)
    web = session.environment.realm.clients.web.id
    callback = f"{session.environment.url('web')}/oauth/callback/OpenSRP/"
    state = secrets.token_urlsafe(8)
    with trusting_client(session.authority) as browser:
        page = browser.get(
            f"{session.environment.issuer}/protocol/openid-connect/auth",
            params={
                "client_id": web,
                "redirect_uri": callback,
                "response_type": "code",
                "scope": "openid profile",
                "state": state,
            },
        )
        status_is(page, 200, what="login page")
        action = re.search(r'action="([^"]+)"', page.text)
        if not action:
            raise FailedError("the login page has no form")
        answer = browser.post(
            html.unescape(action[1]),
            data={"username": person.username, "password": person.password.reveal()},
        )
    status_is(answer, 302, what="login form")
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    require(query.get("state") == [state] and "code" in query, "no code came back")
    response = session.http.post(
        session.token_endpoint,
        data={"grant_type": "authorization_code", "code": query["code"][0]}
        | {"redirect_uri": callback},
        auth=(web, session.secrets["client-web"].reveal()),
    )
    status_is(response, 200, what="code for tokens")
    found: dict[str, str] = response.json()
    return found


def foreign_redirect(session: Session) -> str:
    response = session.http.get(
        f"{session.environment.issuer}/protocol/openid-connect/auth",
        params={
            "client_id": session.environment.realm.clients.web.id,
            "redirect_uri": "https://attacker.example.org/",
            "response_type": "code",
        },
    )
    return status_is(response, 400, what="a foreign redirect address")


def no_implicit(session: Session) -> str:
    declared = session.environment.realm.clients
    callback = f"{session.environment.url('web')}/oauth/callback/OpenSRP/"
    for client in (declared.android.id, declared.web.id, declared.pipelines.id):
        for kind in ("token", "id_token", "id_token token"):
            response = session.http.get(
                f"{session.environment.issuer}/protocol/openid-connect/auth",
                params={
                    "client_id": client,
                    "redirect_uri": callback,
                    "response_type": kind,
                    "nonce": "n",
                },
            )
            target = response.headers.get("location", "")
            is_refused = response.status_code >= 400 or "error=" in target
            require(is_refused, f"{client}, {kind}: {response.status_code} {target[:80]}")
    everyone = session.admin.get(f"/{session.environment.realm.name}/clients", max=2000)
    guilty = [c["clientId"] for c in everyone if c.get("implicitFlowEnabled")]
    require(not guilty, f"implicit flow is on for {', '.join(guilty)}")
    return f"refused for the three clients; off on all {len(everyone)} clients of the realm"


def pipelines_token(session: Session) -> str:
    found = claims(session.pipeline_token())
    roles = found.get("realm_access", {}).get("roles", [])
    require("WEB_CLIENT" in roles and "ANDROID_CLIENT" not in roles, f"roles: {roles}")
    writing = [r for r in roles if r.split("_")[0] in ("POST", "PUT", "DELETE", "PATCH", "MANAGE")]
    require(not writing, f"it may write: {', '.join(writing[:5])}")
    require("fhir_core_app_id" in found, "no fhir_core_app_id")
    return f"{len(roles)} roles, none that writes; the application is named"


def _unauthorized(session: Session, token: str, what: str) -> str:
    return refused(session.fhir("GET", ANYTHING, token), 401, what=what)


def other_realm(session: Session) -> str:
    return _unauthorized(session, session.admin.token(), "a token of the master realm")


def tampered(session: Session) -> str:
    head, payload, signature = session.tokens_of(session.people.nurse)["access_token"].split(".")
    body = claims(f"{head}.{payload}.")
    body["realm_access"]["roles"].append("MANAGE_PATIENT")
    forged = base64.urlsafe_b64encode(json.dumps(body).encode()).rstrip(b"=").decode()
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    flipped = ("A" if signature[10] != "A" else "B").join((signature[:10], signature[11:]))
    for token, what in (
        (f"{head}.{forged}.{signature}", "altered claims"),
        (f"{head}.{payload}.{flipped}", "an altered signature"),
        (f"{none}.{payload}.", "no signature"),
        ("x.y.z", "no token at all"),
    ):
        _unauthorized(session, token, what)
    return "altered claims, altered and missing signatures: 401"


def wrong_kind(session: Session) -> str:
    tokens = session.tokens_of(session.people.nurse)
    _unauthorized(session, tokens["id_token"], "an ID token")
    _unauthorized(session, tokens["refresh_token"], "a refresh token")
    return "an ID token and a refresh token are refused: 401"


def expired(session: Session) -> str:
    """Ask until the token is refused; soon after its end it must be.

    Services allow for clocks that differ by some seconds, so it is waited for, with a limit.
    """
    token = session.people.short_lived
    end = claims(token)["exp"]
    while True:
        asked = time.time()
        answer = session.fhir("GET", ANYTHING, token)
        # An answer that took long is of when it was asked for.
        if answer.status_code == 401 or asked > end + LATEST_SECONDS:
            break
        time.sleep(0.2)
    refused(answer, 401, what="an expired token")
    require("expired" in answer.text, f"refused for another reason: {answer.text[:200]}")
    return f"refused; it ended {time.time() - end:.0f} s ago"


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
    Check("token.web-code", "client.web.grant", "Web logs in by code", authorization_code),
    Check(
        "token.web-redirect", "client.web.grant", "Foreign redirects are refused", foreign_redirect
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
    Check(
        "token.no-implicit", "client.web.no-implicit-flow", "Implicit flow is refused", no_implicit
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
    Check(
        "token.other-realm",
        "services.fhir-gateway",
        "Another realm's token is refused",
        other_realm,
    ),
    Check("token.tampered", "services.fhir-gateway", "Tampered tokens are refused", tampered),
    Check("token.kind", "services.fhir-gateway", "Only access tokens are taken", wrong_kind),
)
LAST = (Check("token.expired", "services.fhir-gateway", "An expired token is refused", expired),)
"""Its token is made at the beginning and has ended when everything else was looked at."""
