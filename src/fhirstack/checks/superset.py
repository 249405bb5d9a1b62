"""Checks of Superset: who gets in, and that its dashboards show what the warehouse holds."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fhirstack.checks.analytics import needed, reading
from fhirstack.checks.browser import STEP_SECONDS, browser, fill_login, keep_picture
from fhirstack.checks.check import Check, FailedError, SkippedError, require, status_is
from fhirstack.checks.session import Person, Session
from fhirstack.patience import LONGEST, Patience, wait_for
from fhirstack.services import warehouse
from fhirstack.services.superset import names

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Response

ACTIVITY, QUALITY = "programme-activity", "data-quality"
_DATE = re.compile(r"'(\d{4}-\d\d-\d\d)")


def _need(session: Session) -> str:
    """Return Superset's base. Raises SkippedError where it does not run."""
    if not session.environment.runs("superset"):
        raise SkippedError("this environment runs without Superset")
    return session.environment.url("superset")


def closed(session: Session) -> str:
    base = _need(session)
    for path in ("/api/v1/dashboard/", "/api/v1/database/", "/api/v1/security/roles/"):
        status_is(session.http.get(base + path), 401, 403)
    page = session.http.get(f"{base}/superset/dashboard/{ACTIVITY}/")
    status_is(page, 302)
    require("/login" in page.headers["location"], f"it leads to {page.headers['location']}")
    form = {"username": "admin", "password": "admin", "provider": "db"}
    answer = session.http.post(f"{base}/api/v1/security/login", json=form)
    status_is(answer, 400, 401, 403, 404, 405)
    for path in ("/health", "/metrics"):
        status_is(session.http.get(base + path), 403, 404)
    return "pages lead to the login, the API answers 401, passwords open nothing"


def own_client(session: Session) -> str:
    _need(session)
    client = session.environment.realm.clients.superset.id
    secret = session.secrets[names.CLIENT_SECRET].reveal()
    person = session.wake(session.people.viewer)
    for form in (
        {"grant_type": "client_credentials"},
        {
            "grant_type": "password",
            "username": person.username,
            "password": person.password.reveal(),
        },
    ):
        answer = session.http.post(session.token_endpoint, data=form, auth=(client, secret))
        status_is(answer, 400, 401, 403, what=f"{form['grant_type']} with Superset's client")
    realm = f"/{session.environment.realm.name}"
    (found,) = session.admin.get(f"{realm}/clients", clientId=client)
    token = session.admin.get(
        f"{realm}/clients/{found['id']}/evaluate-scopes/generate-example-access-token",
        userId=session.people.administrator.user_id,
        scope="openid",
    )
    held = sorted({"realm_access", "resource_access", "fhir_core_app_id"} & token.keys())
    require(not held, f"an administrator's token for it carries {', '.join(held)}")
    return f"{client} has the authorization code grant only, and no role in its access tokens"


def numbers(session: Session) -> str:
    base = _need(session)
    needed(session)
    with browser(session) as context:
        page = _log_in(context, base, session.wake(session.people.viewer))
        held = _value(session, "SELECT sum(records) FROM marts_anonymous.freshness")
        _open(page, f"{base}/superset/dashboard/{QUALITY}/", "freshness")
        _shows(page, "Records in the warehouse", held)
        pictures = [_picture(session, page, QUALITY)]
        asked = _open(page, f"{base}/superset/dashboard/{ACTIVITY}/", "patients")
        people = _value(
            session,
            "SELECT count(*) FROM marts_anonymous.patients"
            " WHERE registered_month >= %s AND registered_month < %s",
            *asked,
        )
        _shows(page, "People registered", people)
        pictures.append(_picture(session, page, ACTIVITY))
    return f"{held:,} records, {people:,} people, as SQL counts them; {'; '.join(pictures)}"


def no_role(session: Session) -> str:
    base = _need(session)
    with browser(session) as context:
        page = context.new_page()
        page.goto(f"{base}/login/keycloak")
        nurse = session.wake(session.people.nurse)
        fill_login(page, nurse.username, nurse.password.reveal())
        page.wait_for_url(lambda url: url.startswith(base))
        text = page.locator("body").inner_text()
        require("No access" in text, f"a health worker sees: {text[:80]}")
        status = page.evaluate(
            "url => fetch(url).then(answer => answer.status)", f"{base}/api/v1/dashboard/"
        )
        require(status in (401, 403), f"her session reads dashboards: {status}")
    return "a person with no role of Superset's is told so and sees nothing"


def _log_in(context: "BrowserContext", base: str, person: Person) -> "Page":
    page = context.new_page()
    page.set_viewport_size({"width": 1440, "height": 2000})
    page.goto(f"{base}/login/keycloak")
    fill_login(page, person.username, person.password.reveal())
    page.wait_for_url(lambda url: url.startswith(base) and "/oauth-authorized" not in url)
    return page


def _open(page: "Page", url: str, table: str) -> tuple[str, ...]:
    """Open a dashboard and have its numbers asked for anew, as a person may by its button.

    Returns the dates between which it asks one of its tables for a number.
    """
    page.goto(url)
    _until(page, lambda: page.locator(".header-line").count() > 0, "no number is shown")
    # Its button does nothing while a chart is still loading.
    _rest(page)

    def of_table(response: "Response") -> bool:
        if "/api/v1/chart/data" not in response.url or response.status != 200:
            return False
        query = str(response.json()["result"][0]["query"])
        return f"marts_anonymous.{table}" in query and "GROUP BY" not in query

    # Every chart asks anew, one after the other where the machine is slow.
    with page.expect_response(of_table, timeout=LONGEST * STEP_SECONDS * 1000) as expected:
        page.get_by_label("Refresh dashboard").click()
    return tuple(_DATE.findall(expected.value.json()["result"][0]["query"]))


def _shows(page: "Page", title: str, value: int) -> None:
    """Wait until a chart shows a number. Raises FailedError with what it shows instead."""
    chart = page.locator(".dashboard-component-chart-holder").filter(
        has=page.get_by_text(title, exact=True)
    )
    number = chart.locator(".header-line").first
    right = number.and_(page.get_by_text(f"{value:,}", exact=True))
    _until(page, lambda: right.count() > 0, f"{title} does not show what SQL counts, {value:,}")


def _rest(page: "Page") -> None:
    """Wait until no chart is loading."""
    loading = page.locator('.loading, [data-test="loading-indicator"]')
    _until(page, lambda: loading.count() == 0, "charts do not come to rest")


def _until(page: "Page", ready: Callable[[], object], otherwise: str) -> None:
    """Wait as long as the page loads anything. Raises FailedError with what else is so."""
    loaded = 0

    def count(_: object) -> None:
        nonlocal loaded
        loaded += 1

    page.on("requestfinished", count)
    try:
        ended = wait_for(
            ready,
            lambda: loaded,
            Patience(STEP_SECONDS),
            # Not time.sleep: the browser is heard only while we wait for it.
            pause=lambda seconds: page.wait_for_timeout(seconds * 1000),
        )
    finally:
        page.remove_listener("requestfinished", count)
    if ended:
        shown = page.locator("body").inner_text()[:200]
        raise FailedError(f"{otherwise}: {ended}; the page shows {shown!r}")


def _picture(session: Session, page: "Page", name: str) -> str:
    """Keep a picture when every chart has come to rest."""
    _rest(page)
    problems = page.locator('[data-test="alert-title"], .chart-error').all_inner_texts()
    require(not problems, f"{name}: {'; '.join(problems[:2])}")
    return keep_picture(session, page, f"superset-{name}")


def _value(session: Session, statement: str, *values: Any) -> int:
    with reading(session, warehouse.DASHBOARD) as connection:
        row = connection.execute(statement.encode(), values).fetchone()
    return int(row[0] or 0) if row else 0


CHECKS = (
    Check("superset.closed", "services.superset", "Superset wants Keycloak's login", closed),
    Check("superset.client", "client.superset.separate", "Its client opens nothing", own_client),
    Check("superset.numbers", "services.superset", "Dashboards show SQL's numbers", numbers),
    Check("superset.no-role", "warehouse.separation", "Who has no role sees nothing", no_role),
)
