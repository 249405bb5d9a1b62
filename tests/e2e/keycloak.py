"""Ways into the test stack's services, for tests that change things by hand."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urljoin

import httpx

from fhirstack.checks.local import session_of
from fhirstack.checks.session import Session, trusting_client
from fhirstack.planes.iam.admin import KeycloakAdmin
from fhirstack.planes.local.platform import Platform, open_platform


def platform_of(cli) -> Platform:
    return open_platform(cli.stack)


@contextmanager
def administration(cli) -> Iterator[tuple[KeycloakAdmin, str]]:
    platform = platform_of(cli)
    with platform.keycloak_admin() as admin:
        yield admin, platform.environment.realm.name


@contextmanager
def session(cli) -> Iterator[Session]:
    with session_of(platform_of(cli)) as opened:
        yield opened


@contextmanager
def logged_in(cli, username, password) -> Iterator[tuple[httpx.Client, httpx.Response]]:
    """Log in to Superset as a browser does; yield what has its session, and the last page."""
    with session(cli) as opened:
        base, authority = opened.environment.url("superset"), opened.authority
    with trusting_client(authority) as browser:
        browser.base_url = base
        page = _followed(browser, browser.get("/login/keycloak"))
        action = re.search(r'action="([^"]+)"', page.text)
        assert action, page.text
        form = {"username": username, "password": password}
        yield browser, _followed(browser, browser.post(html.unescape(action[1]), data=form))


def _followed(browser, page):
    for _ in range(8):
        if not page.is_redirect:
            return page
        page = browser.get(urljoin(str(page.url), page.headers["location"]))
    raise AssertionError(f"it leads on and on: {page.url}")
