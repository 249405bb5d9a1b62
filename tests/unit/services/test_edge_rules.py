"""The edge's rules, proved by requests to a real HAProxy in front of services that echo."""

import contextlib
import json
import os
import ssl

import pytest
from tests.unit.services.edge_harness import DOMAIN, HAPROXY, echo, running

WEB_BASE = "https://web.tt.localhost:{port}/gateway/fhir"


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Return the edge of a platform on which everything runs."""
    with contextlib.ExitStack() as stack:
        services = ("fhir", "keycloak", "web", "superset")
        backends = {service: echo(stack, service) for service in services}
        root = tmp_path_factory.mktemp("full")
        yield stack.enter_context(running(root, services, backends))


@pytest.fixture(scope="module")
def without_web(tmp_path_factory):
    """Return the edge of a platform that names no FHIR Web."""
    with contextlib.ExitStack() as stack:
        backends = {"fhir": echo(stack, "fhir")}
        root = tmp_path_factory.mktemp("without")
        yield stack.enter_context(running(root, ("fhir", "web"), backends))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/gateway/fhir", "/fhir"),
        ("/gateway/fhir/Patient?_count=1", "/fhir/Patient?_count=1"),
        ("/gateway/fhir?_getpages=x&_bundletype=y", "/fhir?_getpages=x&_bundletype=y"),
        ("/gateway/LocationHierarchy?_id=a", "/LocationHierarchy?_id=a"),
        ("/gateway/PractitionerDetail?keycloak-uuid=a", "/PractitionerDetail?keycloak-uuid=a"),
        ("/gateway/fhir/LocationHierarchy/_search?_id=a", "/LocationHierarchy?_id=a"),
        ("/gateway/fhir/PractitionerDetail/_search?keycloak-uuid=a",
         "/PractitionerDetail?keycloak-uuid=a"),
        ("/gateway/fhir/LocationHierarchy", "/LocationHierarchy"),
    ],
)  # fmt: skip
def test_fhir_web_reaches_the_gateway_on_its_own_origin(full, target, path):
    status, seen, headers, _ = full.ask("web", target)
    assert (status, seen["service"], seen["path"]) == (200, "fhir", path)
    assert seen["headers"]["x-fhir-base"] == WEB_BASE.format(port=full.port)
    assert headers["cache-control"] == "no-store"


def test_a_search_that_is_posted_keeps_its_path_and_body(full):
    target = "/gateway/fhir/LocationHierarchy/_search"
    status, seen, _, _ = full.ask("web", target, method="POST", body="_id=a")
    assert (status, seen["path"], seen["body"]) == (200, "/LocationHierarchy/_search", "_id=a")


@pytest.mark.parametrize(
    "path",
    ["/gateway", "/gateway/", "/gateway/actuator/health", "/gateway/fhirx", "/gateway/Location",
     "/gateway/gateway/fhir/Patient", "/gateway/fhirLocationHierarchy"],
)  # fmt: skip
def test_nothing_else_of_the_gateway_is_below_its_prefix(full, path):
    status, seen, _, _ = full.ask("web", path)
    # The bare prefix is a path of FHIR Web's own pages.
    assert (status, seen.get("service")) == ((200, "web") if path == "/gateway" else (404, None))


@pytest.mark.parametrize("service", ["fhir", "web", "superset"])
def test_no_client_names_the_base_or_forwards(full, service):
    sent = {"X-Fhir-Base": "https://evil.example/fhir", "X-Forwarded-Host": "evil.example",
            "x-fhir-BASE": "https://evil.example", "Forwarded": "host=evil"}  # fmt: skip
    path = "/fhir/Patient" if service == "fhir" else "/x"
    status, seen, _, _ = full.ask(service, path, headers=sent)
    assert status == 200
    assert "evil" not in json.dumps(seen["headers"])
    assert "x-fhir-base" not in seen["headers"]


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/PractitionerDetail?keycloak-uuid=a", "/PractitionerDetail?keycloak-uuid=a"),
        ("/LocationHierarchy?_id=a&mode=list", "/LocationHierarchy?_id=a&mode=list"),
        ("/LocationHierarchy/_search?_id=a", "/LocationHierarchy?_id=a"),
        ("/fhir/PractitionerDetail?keycloak-uuid=a", "/PractitionerDetail?keycloak-uuid=a"),
        ("/fhir/Patient/1", "/fhir/Patient/1"),
    ],
)
def test_the_gateways_name_has_openSRPs_endpoints_too(full, target, path):  # noqa: N802
    status, seen, _, _ = full.ask("fhir", target)
    assert (status, seen["service"], seen["path"]) == (200, "fhir", path)


@pytest.mark.parametrize(
    "path",
    ["/", "/actuator/health", "/fhirx", "/practitionerdetail", "/PractitionerDetail/x",
     "/LocationHierarchyx", "/gateway/fhir/Patient", "/fhir/..%2factuator", "/fhir//x",
     "/fhir/../x", "/fhir/a;b", "/fhir/a\\b", "/fhir/a%5Cb", "/fhir/%2E%2E/x", "/fhir/%zz",
     "/fhir/a%2", "/fhir/a%"],
)  # fmt: skip
def test_the_gateways_name_has_nothing_else(full, path):
    status, seen, _, _ = full.ask("fhir", path)
    assert status in (400, 404)
    assert not seen


@pytest.mark.parametrize(
    "query",
    [
        "next=https://evil.example", "next=//evil.example", "next=/%5Cevil", "next=/\\evil",
        "next=%2F%2Fevil.example", "next=%2f%2Fevil", "next=/a//evil", "next=evil",
        "%6eext=//evil.example", "n%65xt=%2F%2Fevil", "%6Eext=/x", "NEXT=//evil", "Next=/x",
        "next=/x&next=//evil", "next=//evil&next=/x", "next&next=//evil", "next=/x&%6eext=//evil",
        "next=/x;next=//evil", "a=1;next=//evil", "next[]=//evil", "next%5B%5D=//evil", "next",
        "next=javascript:alert(1)", "next=%252F%252Fevil", "next=/%2e%2e/evil", "next=/../x",
        "next=/.evil", "next=/x%00", "next=/x%0d%0aSet-Cookie:a", "next=/x:y", "next=/@evil",
        "next=/x?y", "next=/x%3Fy=//evil", "a=1%26next=//evil", "next=+/x", "?next=//evil",
        "next=/x&a=%zz", "%6eext=//evil&a=%zz", "%6eext=//evil&a=%4", "a=%&next=//evil",
        "next=%ef%bc%8fevil", "next=/\tevil".replace("\t", "%09"), "next=/logout", "next=%2Flogout",
        "next=/oauth/opensrp", "next=/login", "next=/refresh/token", "next=/fe/login",
        "next=/LOGOUT/", "next==/x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/login", "/LOGIN", "/login/", "/%6Cogin", "/login/x", "/"])
def test_next_that_may_leave_the_origin_is_refused(full, path, query):
    status, seen, _, _ = full.ask("web", f"{path}?{query}")
    assert (status, seen) == (400, {})


@pytest.mark.parametrize(
    "query",
    ["next=%2F", "next=/", "next=%2Fadmin%2Fusers%2Flist", "next=/admin/users/list/",
     "page=2&size=10&next=%2Fadmin%2Fteams%2Fedit%2F0f2a-41", "next=%2Fadmin&page=2",
     "next=/a/demo-location.1", "page=1", "context=x", "a=b%26c", "q=n%C3%A9", "", "anext=1"],
)  # fmt: skip
def test_the_pages_that_fhir_web_returns_to_pass(full, query):
    status, seen, _, _ = full.ask("web", f"/login?{query}")
    assert (status, seen.get("service")) == (200, "web")
    assert seen["path"] == f"/login?{query}"


@pytest.mark.parametrize(
    "path", ["/$import", "/$IMPORT/", "/%24import", "/$import/templates", "/%24%69mport/a?x=1"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_import_jobs_are_closed(full, path, method):
    status, seen, _, _ = full.ask("web", path, method=method)
    assert (status, seen) == (403, {})


def test_import_jobs_are_open_where_the_site_says_so(tmp_path):
    with contextlib.ExitStack() as stack:
        backends = {"web": echo(stack, "web")}
        one = stack.enter_context(running(tmp_path, ("web",), backends, data_import=True))
        assert one.ask("web", "/$import")[1]["path"] == "/$import"
        assert one.ask("web", "/login?next=//evil")[0] == 400


def test_fhir_webs_own_paths_go_to_it_with_its_own_origin(full):
    for path in ("/", "/oauth/callback/OpenSRP/?code=1&state=2", "/fhir/Patient", "/config.js?t=1"):
        status, seen, headers, _ = full.ask("web", path)
        assert (status, seen["service"], seen["path"]) == (200, "web", path)
        assert headers["set-cookie"] == "session=1; Path=/; HttpOnly; Secure; SameSite=Lax"
        assert "x-powered-by" not in headers
    assert seen["headers"]["host"] == f"web.tt.localhost:{full.port}"
    assert seen["headers"]["x-forwarded-proto"] == "https"
    assert seen["headers"]["x-forwarded-host"] == "web.tt.localhost"


@pytest.mark.parametrize(
    "path",
    ["/health", "/healthcheck", "/ping", "/metrics", "/Health/", "/%68ealth", "/metrics/x",
     "/HEALTHCHECK"],
)  # fmt: skip
def test_supersets_health_is_closed(full, path):
    assert full.ask("superset", path)[0] == 404


def test_supersets_own_policy_stays_and_its_forms_have_a_referrer(full):
    status, seen, headers, _ = full.ask("superset", "/login/keycloak?next=/superset/welcome/")
    assert (status, seen["service"]) == (200, "superset")
    assert headers["content-security-policy"] == "default-src 'self' own"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert full.ask("fhir", "/fhir/Patient")[2]["referrer-policy"] == "no-referrer"


def test_one_name_is_no_way_to_another(full):
    status, seen, _, _ = full.ask("web", "/", host=f"superset.{DOMAIN}")
    assert (status, seen) == (421, {})


def test_without_fhir_web_its_pages_say_so_and_the_gateway_answers(without_web):
    for path in ("/", "/login", "/oauth/state", "/fhir/Patient"):
        status, _, headers, text = without_web.ask("web", path)
        assert (status, text) == (503, "FHIR Web is not installed here.")
        assert headers["content-type"].startswith("text/plain")
    status, seen, _, _ = without_web.ask("web", "/gateway/fhir/Patient")
    assert (status, seen["path"]) == (200, "/fhir/Patient")
    assert without_web.ask("web", "/login?next=//evil")[0] == 400
    assert without_web.ask("web", "/$import")[0] == 403


def test_names_of_services_that_are_not_there_are_unknown(without_web):
    with pytest.raises((ssl.SSLError, OSError)):
        without_web.ask("superset", "/")


def test_haproxy_was_really_there():
    assert os.access(str(HAPROXY), os.X_OK)
