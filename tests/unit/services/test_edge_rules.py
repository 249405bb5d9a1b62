"""The edge's rules, proved by requests to a real HAProxy in front of services that echo."""

import contextlib
import http.client
import http.server
import json
import os
import ssl

import pytest
from tests.unit.services.edge_harness import DOMAIN, HAPROXY, echo, free_ports, running

from fhirstack.services.workload import Endpoint

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
        ("/gateway/fhir/", "/fhir"),
        ("/gateway//fhir//Patient/", "/fhir/Patient"),
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
        ("/fhir/practitioner-details?keycloak-uuid=a", "/PractitionerDetail?keycloak-uuid=a"),
        ("/fhir/practitioner-details/x", "/fhir/practitioner-details/x"),
        ("/fhir/Patient/1", "/fhir/Patient/1"),
        # A base with a slash at its end, and what clients make of it.
        ("/fhir/", "/fhir"),
        ("/fhir/?_getpages=a", "/fhir?_getpages=a"),
        ("/fhir//", "/fhir"),
        ("/fhir/Patient/", "/fhir/Patient"),
        ("/fhir//Patient?identifier=a//b/", "/fhir/Patient?identifier=a//b/"),
        ("//fhir///Patient//1/", "/fhir/Patient/1"),
        ("/LocationHierarchy/?_id=a", "/LocationHierarchy?_id=a"),
        ("/fhir//PractitionerDetail/", "/PractitionerDetail"),
    ],
)
def test_the_gateways_name_has_openSRPs_endpoints_too(full, target, path):  # noqa: N802
    status, seen, _, _ = full.ask("fhir", target)
    assert (status, seen["service"], seen["path"]) == (200, "fhir", path)


@pytest.mark.parametrize(
    "path",
    ["/", "/actuator/health", "/fhirx", "/practitionerdetail", "/PractitionerDetail/x",
     "/LocationHierarchyx", "/gateway/fhir/Patient", "/fhir/..%2factuator", "//x",
     "/fhir/../x", "/fhir/a;b", "/fhir/a\\b", "/fhir/a%5Cb", "/fhir/%2E%2E/x", "/fhir/%zz",
     "/fhir/a%2", "/fhir/a%"],
)  # fmt: skip
def test_the_gateways_name_has_nothing_else(full, path):
    status, seen, _, _ = full.ask("fhir", path)
    assert status in (400, 404)
    assert not seen


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
    ("service", "path"),
    [
        ("web", "/admin/users/credentials/0f2a/a..b"),
        ("web", "/admin/users/credentials/0f2a/..amina"),
        ("web", "/admin/users/credentials/0f2a/amina.."),
        ("web", "/admin/users/credentials/0f2a/..."),
        ("web", "/admin/users/credentials/0f2a/amina@example.org"),
        ("web", "/admin/users/credentials/0f2a/a+b"),
        ("web", "/admin/users/credentials/0f2a/%E0%A4%A8%E0%A4%BE%E0%A4%AE"),
        ("fhir", "/fhir/Patient/a..b"),
        ("fhir", "/fhir/Patient/.a"),
    ],
)
def test_names_with_dots_and_letters_of_any_script_are_no_steps_up(full, service, path):
    status, seen, _, _ = full.ask(service, path)
    assert (status, seen["path"]) == (200, path)


@pytest.mark.parametrize(
    "path", ["/..", "/.", "/a/..", "/a/../b", "/../a", "/a/./b", "/a/.", "/%2e%2e/a", "/a/.%2E"]
)
@pytest.mark.parametrize("service", ["web", "fhir", "keycloak"])
def test_no_step_up_is_taken(full, service, path):
    status, seen, _, _ = full.ask(service, path)
    assert (status, seen) == (400, {})


@pytest.mark.parametrize(
    "path",
    ["/health", "/healthcheck", "/ping", "/metrics", "/Health/", "/%68ealth", "/metrics/x",
     "/HEALTHCHECK", "/lang/fr", "/lang/xx"],
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


FHIR, PAGE = "application/fhir+json", "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("service", "target", "status", "kind"),
    [
        ("fhir", "/fhir/../x", 400, FHIR),
        ("fhir", "/fhir/a;b", 400, FHIR),
        ("fhir", "/fhir/%zz", 400, FHIR),
        ("fhir", "/actuator", 404, FHIR),
        ("fhir", "/", 404, FHIR),
        ("web", "/gateway/fhir/../x", 400, FHIR),
        ("web", "/gateway/actuator", 404, FHIR),
        ("web", "/a//b", 400, PAGE),
        ("web", "/login?next=//evil", 400, PAGE),
        ("web", "/$import", 403, PAGE),
        ("keycloak", "/auth/admin/", 404, PAGE),
        ("keycloak", "/auth/realms/x/../y", 400, PAGE),
        ("superset", "/metrics", 404, PAGE),
    ],
)
def test_the_edges_own_answers_are_in_the_words_of_the_name(full, service, target, status, kind):
    seen, _, headers, text = full.ask(service, target)
    assert (seen, headers["content-type"]) == (status, kind)
    if kind == FHIR:
        outcome = json.loads(text)
        assert outcome["resourceType"] == "OperationOutcome"
        assert outcome["issue"][0]["diagnostics"]
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("service", "target", "options", "status"),
    [
        ("fhir", "/fhir/Patient", {}, 200),
        ("fhir", "/x", {}, 404),
        ("fhir", "/fhir", {"host": f"web.{DOMAIN}"}, 421),
        ("web", "/fhir", {"host": f"fhir.{DOMAIN}"}, 421),
        ("keycloak", "/auth/", {}, 404),
        ("superset", "/a;b", {}, 400),
        ("fhir", "/fhir", {"method": "POST", "headers": {"Content-Length": "99999999"}}, 413),
    ],
)
def test_every_answer_keeps_browsers_at_https(full, service, target, options, status):
    seen, _, headers, text = full.ask(service, target, **options)
    assert seen == status
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert headers["x-content-type-options"] == "nosniff"
    if service == "fhir" and status >= 400:
        assert json.loads(text)["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(("service", "kind"), [("fhir", FHIR), ("web", FHIR), ("superset", PAGE)])
def test_a_service_that_is_away_or_breaks_off_is_told_in_the_words_of_the_name(
    tmp_path_factory, service, kind
):
    target = {"fhir": "/fhir/a", "web": "/gateway/fhir/a", "superset": "/a"}[service]
    with contextlib.ExitStack() as stack:
        away = Endpoint("127.0.0.1", free_ports(1)[0])
        broken = echo(stack, service, Broken)
        for status, end in ((503, away), (502, broken)):
            backends = {"superset" if service == "superset" else "fhir": end}
            root = tmp_path_factory.mktemp("away")
            with running(root, (service, *backends), backends) as edge:
                seen, _, headers, text = edge.ask(service, target)
            assert (seen, headers["content-type"]) == (status, kind)
            assert headers["strict-transport-security"] == "max-age=31536000"
            assert ("OperationOutcome" in text) == (kind == FHIR)


class Broken(http.server.BaseHTTPRequestHandler):
    """Says nothing that is HTTP."""

    def do_GET(self):
        self.wfile.write(b"nonsense\r\n\r\n")

    def log_message(self, *_):
        pass


def test_plain_http_leads_to_https_and_says_nothing_else(full):
    for host, status in ((f"fhir.{DOMAIN}", 308), ("other.example.org", 421)):
        connection = http.client.HTTPConnection("127.0.0.1", full.plain_port, timeout=10)
        connection.request("GET", "/a?b", headers={"Host": host})
        answer = connection.getresponse()
        connection.close()
        assert answer.status == status
        assert answer.getheader("x-content-type-options") == "nosniff"
    assert answer.getheader("location") is None


@pytest.mark.parametrize("service", ["fhir", "keycloak", "web", "superset"])
def test_nothing_is_upgraded_to_another_protocol(full, service):
    path = {"keycloak": "/auth/resources/a"}.get(service, "/fhir/a")
    for protocol in ("h2c", "websocket", "tls/1.0, h2c"):
        sent = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": protocol,
                "HTTP2-Settings": "AAMAAABkAAQAAP__", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
        status, seen, _, _ = full.ask(service, path, headers=sent)
        assert status == 200
        assert not {"upgrade", "http2-settings"} & seen["headers"].keys()


@pytest.mark.parametrize("service", ["fhir", "keycloak", "web", "superset"])
def test_no_tunnel_is_opened(full, service):
    name = f"{service}.{DOMAIN}:{full.port}"
    for method in ("CONNECT", "TRACE"):
        target = name if method == "CONNECT" else "/fhir"
        assert full.ask(service, target, method=method)[0] in (400, 405)
    path = {"keycloak": "/auth/resources/a"}.get(service, "/fhir/a")
    for protocol in ("websocket", "h2c"):
        with full.http2(service) as client:
            answer = client.ask("CONNECT", path, [(":protocol", protocol)])
            assert answer.status in (0, 200, 400, 405)
            if answer.status == 200:
                # Asked as a plain GET, which the rules have seen.
                seen = json.loads(answer.body)
                assert (seen["method"], seen["path"]) == ("GET", path)
                assert not {"upgrade", "http2-settings"} & seen["headers"].keys()


def test_haproxy_was_really_there():
    assert os.access(str(HAPROXY), os.X_OK)
