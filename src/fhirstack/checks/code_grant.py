"""Checks of identity: logging in by code in a browser, and what must not work on that road."""

import html
import re
import secrets
from urllib.parse import parse_qs, urlsplit

from fhirstack.checks.check import Check, FailedError, require, status_is
from fhirstack.checks.session import Person, Session, trusting_client
from fhirstack.checks.tokens import ANYTHING, claims


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


CHECKS = (
    Check("token.web-code", "client.web.grant", "Web logs in by code", authorization_code),
    Check(
        "token.web-redirect", "client.web.grant", "Foreign redirects are refused", foreign_redirect
    ),
    Check(
        "token.no-implicit", "client.web.no-implicit-flow", "Implicit flow is refused", no_implicit
    ),
)
