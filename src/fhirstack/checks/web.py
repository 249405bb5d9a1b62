"""Checks of FHIR Web's side: its login in a real browser, and what stands before its server.

Where FHIR Web is installed it is what logs in. Where it is not, the check plays its server's part
with its client's secret, and its pages' part with a page on their origin under its policy.
"""

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx

from fhirstack.checks import fixtures, web_pages
from fhirstack.checks.browser import browser, fill_login, keep_picture
from fhirstack.checks.check import Check, SkippedError, refused, require, status_is
from fhirstack.checks.session import Person, Session
from fhirstack.checks.tokens import claims
from fhirstack.checks.web_pages import Pages
from fhirstack.services.edge import GATEWAY_PREFIX
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
STATE = "async () => (await fetch('/oauth/state')).json()"
RENEW = """async () => {
  const answer = await fetch('/refresh/token');
  return {status: answer.status, body: await answer.text()};
}"""
TELL = "(text) => { document.getElementById('seen').textContent = text; }"
BLOCKED = """(url) => new Promise((tell) => {
  document.addEventListener("securitypolicyviolation", (event) => tell(event.effectiveDirective));
  fetch(url).then(() => tell("reached"), () => setTimeout(() => tell("not reached"), 2000));
})"""


def _need_web(session: Session) -> None:
    if not session.environment.runs("web"):
        raise SkippedError("FHIR Web is not among this environment's services")


def _answer_callback(page: "Page", session: Session, pages: Pages) -> list[str]:
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
    devtools.send("Fetch.enable", {"patterns": [{"urlPattern": f"{pages.callback}*"}]})
    return arrived


def _log_in(context: "BrowserContext", session: Session, pages: Pages) -> tuple["Page", str]:
    """Log the administrator in as the pages do; returns a page of theirs, and the code."""
    page = context.new_page()
    arrived = _answer_callback(page, session, pages)
    page.goto(pages.authorization())
    person = session.people.administrator
    session.wake(person)
    fill_login(page, person.username, person.password.reveal())
    page.wait_for_url(lambda url: url.startswith(pages.callback))
    query = parse_qs(urlsplit(arrived[-1]).query)
    require(query.get("state") == [pages["OPENSRP_OAUTH_STATE"]], "another state came back")
    require(query.get("iss", [session.environment.issuer]) == [session.environment.issuer], "iss")
    require("code" in query, f"no code came back: {', '.join(sorted(query))}")
    return page, query["code"][0]


def _exchange(session: Session, pages: Pages, code: str) -> httpx.Response:
    return session.http.post(
        session.token_endpoint,
        data={"grant_type": "authorization_code", "code": code, "redirect_uri": pages.callback},
        auth=(pages["OPENSRP_CLIENT_ID"], session.secrets["client-web"].reveal()),
    )


def _log_in_installed(context: "BrowserContext", session: Session, pages: Pages) -> "Page":
    """Log the administrator in at FHIR Web itself: its pages begin, its server ends it."""
    page, person = context.new_page(), session.people.administrator
    page.goto(pages["DOMAIN_NAME"])
    session.wake(person)
    fill_login(page, person.username, person.password.reveal())
    home = urlsplit(pages["DOMAIN_NAME"])
    page.wait_for_url(lambda url: urlsplit(url)[:2] == home[:2])
    return page


def _token_of_the_server(page: "Page") -> str:
    """Return the access token that FHIR Web's server gives its pages, renewed once."""
    seen = page.evaluate(STATE)
    require("session" in seen, f"/oauth/state gives no session: {str(seen)[:160]}")
    renewed = page.evaluate(RENEW)
    require(
        renewed["status"] == 200, f"/refresh/token: {renewed['status']} {renewed['body'][:160]}"
    )
    return str(json.loads(renewed["body"])["session"]["extraData"]["oAuth2Data"]["access_token"])


def _fetch(page: "Page", url: str, token: str) -> tuple[int, str]:
    seen: dict[str, Any] = page.evaluate(FETCH, [url, token])
    return int(seen["status"]), str(seen["body"])


def login(session: Session) -> str:
    pages = web_pages.read(session)
    base = pages["FHIR_API_BASE_URL"]
    # Pages that are served come from this machine's address, and need no leave to ask it.
    with browser(session, *(() if pages.installed else (STANDS_IN,))) as context:
        code = ""
        if pages.installed:
            page = _log_in_installed(context, session, pages)
            token = _token_of_the_server(page)
        else:
            page, code = _log_in(context, session, pages)
            response = _exchange(session, pages, code)
            status_is(response, 200, what="code for tokens")
            token = str(response.json()["access_token"])
        client = claims(token).get("azp")
        require(client == pages["OPENSRP_CLIENT_ID"], f"the token is for {client}")
        status, body = _fetch(page, f"{base}/Patient?_count=1", token)
        require(status == 200, f"patients through the gateway: {status} {body[:160]}")
        links = [str(link["url"]) for link in json.loads(body).get("link", [])]
        foreign = [link for link in links if not link.startswith(base)]
        require(not foreign, f"a link that leaves the pages' origin: {foreign[:1]}")
        status, body = _fetch(page, f"{pages['KEYCLOAK_API_BASE_URL']}/users?max=2", token)
        require(status == 200, f"users through the admin API: {status} {body[:160]}")
        blocked = page.evaluate(BLOCKED, f"https://elsewhere.{session.environment.domain}/")
        require(blocked == "connect-src", f"another site from the pages: {blocked}")
        if not pages.installed:
            status_is(_exchange(session, pages, code), 400, what="the same code again")
            page.evaluate(TELL, f"patients, users: 200, {session.people.administrator.username}")
        picture = keep_picture(session, page, "web-login")
    by = "by FHIR Web itself" if pages.installed else "by its part, played: it is not installed"
    return f"{by}: code, tokens, patients on its own origin, users by CORS; {picture}"


def foreign_state(session: Session) -> str:
    pages = web_pages.read(session)
    if not pages.installed:
        raise SkippedError("FHIR Web is not installed: its server compares the state")
    for query in ("code=x", "code=x&state=", "code=x&state=another", "state=another&error=none"):
        answer = session.http.get(f"{pages.callback}?{query}")
        inside = answer.is_success or "set-cookie" in answer.headers
        require(not inside, f"the callback with {query}: {answer.status_code}")
    return "the callback takes no other state than that of config.js"


def implicit(session: Session) -> str:
    seen = []
    pages = web_pages.read(session)
    with browser(session, *(() if pages.installed else (STANDS_IN,))) as context:
        page, _ = _log_in(context, session, pages)
        # With a session at hand nothing is asked: where it is allowed, tokens come at once.
        for kind in ("token", "id_token", "id_token token", "code id_token", "code token"):
            page.goto(pages.authorization(response_type=kind, nonce="n", prompt="none"))
            found = urlsplit(page.url)
            require("token=" not in found.fragment + found.query, f"{kind}: a token came back")
            error = (parse_qs(found.fragment) | parse_qs(found.query)).get("error", [""])[0]
            require(bool(error), f"{kind}: neither a token nor an error")
            seen.append(error)
    return f"5 response types, none gives a token: {', '.join(sorted(set(seen)))}"


UNSAFE = (
    "next=https://attacker.example.org/", "next=//attacker.example.org", "next=/%5Cattacker",
    "next=%2F%2Fattacker.example.org", "%6eext=//attacker.example.org", "next[]=//attacker",
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


IN_BROWSER = (
    Check("web.login", "client.web.grant", "FHIR Web's login in a browser", login),
    Check(
        "web.implicit-refused",
        "client.web.no-implicit-flow",
        "No token without a code",
        implicit,
    ),
)
CHECKS = (
    Check(
        "web.state",
        "client.web.grant",
        "FHIR Web takes no other state",
        foreign_state,
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
