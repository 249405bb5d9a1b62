"""Checks of FHIR Web's side: its login in a real browser, and what stands before its server.

The server may not be there: the check plays its part with its client's secret, and the pages'
part with a page on their origin under the policy that the server would send.
"""

import base64
import json
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from fhirstack.checks import fixtures
from fhirstack.checks.browser import browser, fill_login, keep_picture
from fhirstack.checks.check import Check, SkippedError, refused, require, status_is
from fhirstack.checks.session import Person, Session
from fhirstack.checks.tokens import claims
from fhirstack.services.edge import GATEWAY_PREFIX, web_fhir_base
from fhirstack.services.fhir_web.pages import policy_header

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

PAGE = "<!doctype html><title>fhirstack verify</title><pre id=seen>logged in</pre>"
FETCH = """async ([url, token]) => {
  const answer = await fetch(url, {headers: {Authorization: `Bearer ${token}`}});
  return {status: answer.status, body: await answer.text()};
}"""
STANDS_IN = "--disable-features=LocalNetworkAccessChecks"
"""The page that stands in for FHIR Web's comes from no address: Chromium takes it for a page of
the internet, which may not ask this machine. CORS and the page's own policy hold as ever."""
TELL = "(text) => { document.getElementById('seen').textContent = text; }"
BLOCKED = """(url) => new Promise((tell) => {
  document.addEventListener("securitypolicyviolation", (event) => tell(event.effectiveDirective));
  fetch(url).then(() => tell("reached"), () => setTimeout(() => tell("not reached"), 2000));
})"""


def _need_web(session: Session) -> None:
    if not session.environment.runs("web"):
        raise SkippedError("FHIR Web is not among this environment's services")


def _callback(session: Session) -> str:
    return f"{session.environment.url('web')}/oauth/callback/OpenSRP/"


def _authorization(session: Session, kind: str, **more: str) -> str:
    query = {
        "client_id": session.environment.realm.clients.web.id,
        "redirect_uri": _callback(session),
        "response_type": kind,
        "scope": "openid profile",
        **more,
    }
    return f"{session.environment.issuer}/protocol/openid-connect/auth?{urlencode(query)}"


def _answer_callback(page: "Page", session: Session) -> list[str]:
    """Answer at the callback instead of FHIR Web; returns the addresses that arrive there.

    By the browser's own protocol: playwright's routes do not see what a redirect leads to.
    """
    arrived: list[str] = []
    devtools = page.context.new_cdp_session(page)
    headers = {
        "Content-Type": "text/html",
        "Content-Security-Policy": policy_header(session.environment),
    }

    def answer(event: dict[str, Any]) -> None:
        arrived.append(str(event["request"]["url"]))
        devtools.send(
            "Fetch.fulfillRequest",
            {
                "requestId": event["requestId"],
                "responseCode": 200,
                "responseHeaders": [{"name": k, "value": v} for k, v in headers.items()],
                "body": base64.b64encode(PAGE.encode()).decode(),
            },
        )

    devtools.on("Fetch.requestPaused", answer)
    devtools.send("Fetch.enable", {"patterns": [{"urlPattern": f"{_callback(session)}*"}]})
    return arrived


def _log_in(context: "BrowserContext", session: Session, person: Person) -> tuple["Page", str]:
    """Log a person in; returns the page on FHIR Web's origin, and the code that came back."""
    state, nonce = secrets.token_urlsafe(12), secrets.token_urlsafe(12)
    session.wake(person)
    page = context.new_page()
    arrived = _answer_callback(page, session)
    page.goto(_authorization(session, "code", state=state, nonce=nonce))
    fill_login(page, person.username, person.password.reveal())
    page.wait_for_url(lambda url: url.startswith(_callback(session)))
    query = parse_qs(urlsplit(arrived[-1]).query)
    require(query.get("state") == [state], "another state came back")
    require(query.get("iss", [session.environment.issuer]) == [session.environment.issuer], "iss")
    require("code" in query, f"no code came back: {', '.join(sorted(query))}")
    return page, query["code"][0]


def _exchange(session: Session, code: str) -> httpx.Response:
    return session.http.post(
        session.token_endpoint,
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": _callback(session),
        },
        auth=(
            session.environment.realm.clients.web.id,
            session.secrets["client-web"].reveal(),
        ),
    )


def _fetch(page: "Page", url: str, token: str) -> tuple[int, str]:
    seen: dict[str, Any] = page.evaluate(FETCH, [url, token])
    return int(seen["status"]), str(seen["body"])


def login(session: Session) -> str:
    environment = session.environment
    base = web_fhir_base(environment)
    _need_web(session)
    with browser(session, STANDS_IN) as context:
        page, code = _log_in(context, session, session.people.administrator)
        response = _exchange(session, code)
        status_is(response, 200, what="code for tokens")
        token = str(response.json()["access_token"])
        client = claims(token).get("azp")
        require(client == environment.realm.clients.web.id, f"the token is for {client}")
        status, body = _fetch(page, f"{base}/Patient?_count=1", token)
        require(status == 200, f"patients through the gateway: {status} {body[:160]}")
        links = [str(link["url"]) for link in json.loads(body).get("link", [])]
        foreign = [link for link in links if not link.startswith(base)]
        require(not foreign, f"a link that leaves the pages' origin: {foreign[:1]}")
        users = f"{environment.keycloak_url}/admin/realms/{environment.realm.name}/users?max=2"
        status, body = _fetch(page, users, token)
        require(status == 200, f"users through the admin API: {status} {body[:160]}")
        blocked = page.evaluate(BLOCKED, f"https://elsewhere.{environment.domain}/")
        require(blocked == "connect-src", f"another site from the pages: {blocked}")
        status_is(_exchange(session, code), 400, what="the same code again")
        page.evaluate(
            TELL, f"patients: 200, users: 200, by {session.people.administrator.username}"
        )
        picture = keep_picture(session, page, "web-login")
    return f"code, tokens, patients on its own origin, users by CORS; {picture}"


def implicit(session: Session) -> str:
    seen = []
    _need_web(session)
    with browser(session) as context:
        page, _ = _log_in(context, session, session.people.administrator)
        # With a session at hand nothing is asked: where it is allowed, tokens come at once.
        for kind in ("token", "id_token", "id_token token", "code id_token", "code token"):
            page.goto(_authorization(session, kind, nonce="n", prompt="none"))
            found = urlsplit(page.url)
            require("token=" not in found.fragment + found.query, f"{kind}: a token came back")
            error = (parse_qs(found.fragment) | parse_qs(found.query)).get("error", [""])[0]
            require(bool(error), f"{kind}: neither a token nor an error")
            seen.append(error)
    return f"5 response types, none gives a token: {', '.join(sorted(set(seen)))}"


UNSAFE = (
    "next=https://attacker.example.org/", "next=//attacker.example.org", "next=/%5Cattacker",
    "next=%2F%2Fattacker.example.org", "%6eext=//attacker.example.org", "NEXT=//attacker",
    "next=/a&next=//attacker.example.org", "a=%zz&next=//attacker", "a=1;next=//attacker",
    "next=/logout",
)  # fmt: skip


def _web(session: Session, target: str, token: str | None = None) -> httpx.Response:
    _need_web(session)
    base = httpx.URL(session.environment.url("web"))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return session.http.get(base.copy_with(raw_path=target.encode()), headers=headers)


def open_redirect(session: Session) -> str:
    for query in UNSAFE:
        status_is(_web(session, f"/login?{query}"), 400, what=f"/login?{query}")
    safe = _web(session, "/login?next=%2Fadmin%2Fusers%2Flist")
    status_is(safe, 200, 302, 503, what="a page of its own")
    return f"{len(UNSAFE)} ways out are refused; its own pages pass"


def import_jobs(session: Session) -> str:
    for path in ("/$import", "/%24import", "/$IMPORT/x"):
        status_is(_web(session, path), 403, what=path)
    return "the list of import jobs is closed"


def _person_token(session: Session, person: Person) -> str:
    return session.tokens_of(person)["access_token"]


def practitioner_detail(session: Session) -> str:
    people = session.people
    below = f"{GATEWAY_PREFIX}/fhir/PractitionerDetail/_search?keycloak-uuid="
    own = f"{session.environment.url('fhir')}/PractitionerDetail?keycloak-uuid="
    web = _person_token(session, people.web)
    nurse = _person_token(session, people.nurse)
    refused(_web(session, below + people.nurse.user_id), 401, what="without a token")
    answer = _web(session, below + people.nurse.user_id, web)
    status_is(answer, 200, what="a web user, from FHIR Web's origin")
    require(people.team in answer.text, "the details do not name the team")
    at_root = _web(
        session, f"{GATEWAY_PREFIX}/PractitionerDetail?keycloak-uuid={people.nurse.user_id}", web
    )
    status_is(at_root, 200, what="the same at the gateway's root")
    status_is(session.fhir("GET", own + people.nurse.user_id, nurse), 200, what="her own details")
    refused(session.fhir("GET", own + people.nurse.user_id), 401, what="without a token")
    refused(
        session.fhir("GET", own + people.colleague.user_id, nurse), 403, what="another's details"
    )
    return "web users get anyone's, a health worker her own only; without a token: 401"


def location_hierarchy(session: Session) -> str:
    below = f"{GATEWAY_PREFIX}/fhir/LocationHierarchy/_search?_id="
    refused(_web(session, f"{below}x"), 401, what="without a token")
    refused(
        session.fhir("GET", f"{session.environment.url('fhir')}/LocationHierarchy?_id=x"),
        401,
        what="without a token",
    )
    place = fixtures.PREFIX
    answer = _web(session, below + place, _person_token(session, session.people.web))
    status_is(answer, 200, what=f"the tree below {place}")
    require("LocationHierarchy" in answer.text and place in answer.text, "no tree came back")
    require(session.backend.base_url.netloc.decode() not in answer.text, "it shows the FHIR server")
    return f"the tree below {place}, from FHIR Web's origin; without a token: 401"


CHECKS = (
    Check("web.login", "client.web.grant", "FHIR Web's login in a browser", login),
    Check(
        "web.implicit-refused",
        "client.web.no-implicit-flow",
        "No token without a code",
        implicit,
    ),
    Check(
        "web.open-redirect", "services.fhir-web.redirects", "No way out by `next`", open_redirect
    ),
    Check("web.import-jobs", "services.fhir-web.imports", "Import jobs are closed", import_jobs),
    Check(
        "web.practitioner-detail",
        "services.fhir-gateway.own-details",
        "PractitionerDetail: own only",
        practitioner_detail,
    ),
    Check(
        "web.location-hierarchy",
        "services.fhir-gateway.own-details",
        "LocationHierarchy for FHIR Web",
        location_hierarchy,
    ),
)
