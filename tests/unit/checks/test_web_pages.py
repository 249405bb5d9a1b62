"""What checks take from FHIR Web's pages, as they are served."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from fhirstack.checks import web_pages
from fhirstack.checks.check import FailedError, SkippedError
from fhirstack.model.local import local_environment
from fhirstack.services.fhir_web import pages

ENVIRONMENT = local_environment("demo", https_port=18443, http_port=18480)


def session(status: int, text: str = "", environment: Any = ENVIRONMENT) -> Any:
    transport = httpx.MockTransport(lambda request: httpx.Response(status, text=text))
    return SimpleNamespace(environment=environment, http=httpx.Client(transport=transport))


def test_what_is_served_decides_and_not_what_we_render():
    text = pages.render_config(ENVIRONMENT).replace(pages.OAUTH_STATE, "another")
    text = text.replace("https://web.demo.localhost:18443", "https://web.elsewhere.example")
    found = web_pages.read(session(200, text))
    assert found.installed
    assert found["OPENSRP_OAUTH_STATE"] == "another"
    assert found["FHIR_API_BASE_URL"] == "https://web.elsewhere.example/gateway/fhir"
    query = parse_qs(urlsplit(found.authorization(prompt="none")).query)
    assert query == {
        "client_id": ["fhir-web"],
        "redirect_uri": ["https://web.elsewhere.example/oauth/callback/OpenSRP/"],
        "response_type": ["code"],
        "scope": ["openid profile"],
        "state": ["another"],
        "prompt": ["none"],
    }


def test_where_it_is_not_installed_they_are_what_it_would_say():
    found = web_pages.read(session(503, "FHIR Web is not installed"))
    assert not found.installed
    assert found.settings == pages.settings(ENVIRONMENT)


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (404, "", "config.js: 404"),
        (502, "", "config.js: 502"),
        (200, "<!doctype html><p>a page", "not what the pages read"),
        (200, "window._env_ = {", "not what the pages read"),
        (200, 'window._env_ = {"REACT_APP_X": "x"}; more()', "not what the pages read"),
    ],
)
def test_settings_that_no_browser_could_read_are_a_failure(status, text, said):
    with pytest.raises(FailedError, match=said):
        web_pages.read(session(status, text))


@pytest.mark.parametrize("name", ["OPENSRP_OAUTH_STATE", "FHIR_ROOT_LOCATION_ID", "DOMAIN_NAME"])
@pytest.mark.parametrize("value", ['"",', ""], ids=["empty", "missing"])
def test_a_setting_that_the_pages_need_and_do_not_get_is_named(name, value):
    settings = pages.settings(ENVIRONMENT)
    del settings[f"REACT_APP_{name}"]
    if value:
        settings[f"REACT_APP_{name}"] = ""
    found = web_pages.Pages(settings, installed=True)
    with pytest.raises(FailedError, match=f"REACT_APP_{name}"):
        found[name]


def test_without_fhir_web_among_the_services_it_cannot_look():
    environment = ENVIRONMENT.model_copy(update={"services": ("fhir", "keycloak")})
    with pytest.raises(SkippedError, match="not among"):
        web_pages.read(session(200, "", environment))
