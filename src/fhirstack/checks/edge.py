"""Checks of the edge: names, certificates, redirects, limits, and what stays closed."""

import datetime
import ipaddress
import secrets
import socket
import ssl
from contextlib import closing

import httpx

from fhirstack.checks.check import Check, FailedError, SkippedError, require, status_is
from fhirstack.checks.http2 import Http2, trust
from fhirstack.checks.session import Session
from fhirstack.model.site import Kind, WebService
from fhirstack.patience import HANG_SECONDS
from fhirstack.services.edge import GATEWAY_PREFIX

LEFT_DAYS = 14
OLD_CIPHERS = "ALL:@SECLEVEL=0"
"""At its usual level OpenSSL 3 offers no TLS 1.1: it would refuse before anybody is asked."""
NO_OLD_TLS = "this machine's OpenSSL cannot speak TLS 1.1 itself"


def _names(session: Session) -> list[str]:
    environment = session.environment
    return list(environment.dns_names.values())


def dns(session: Session) -> str:
    expected = session.environment.network.public_address
    seen = []
    for name in _names(session):
        try:
            found = {
                ipaddress.ip_address(info[4][0])
                for info in socket.getaddrinfo(name, 443, proto=socket.IPPROTO_TCP)
            }
        except socket.gaierror as error:
            raise FailedError(f"{name} cannot be looked up: {error}") from error
        if session.environment.kind is Kind.LOCAL:
            right = all(address.is_loopback for address in found)
        else:
            right = found == {expected}
        shown = ", ".join(sorted(map(str, found)))
        require(right, f"{name} leads to {shown}, not to {expected}")
        seen.append(f"{name} → {shown}")
    return "; ".join(seen)


def certificates(session: Session) -> str:
    context = ssl.create_default_context(
        cafile=str(session.authority) if session.authority else None
    )
    port = session.environment.edge.https_port
    left = []
    for name in _names(session):
        try:
            with (
                socket.create_connection((name, port), timeout=HANG_SECONDS) as plain,
                context.wrap_socket(plain, server_hostname=name) as secure,
            ):
                certificate = secure.getpeercert() or {}
        except (ssl.SSLError, OSError) as error:
            raise FailedError(f"{name}: {error}") from error
        end = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        days = int((end - datetime.datetime.now(datetime.UTC).timestamp()) / 86400)
        require(days >= LEFT_DAYS, f"{name}: the certificate ends in {days} days")
        left.append(days)
    return f"{len(left)} names, each with its own certificate, {min(left)} days left"


def old_tls(session: Session) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    name, port = _names(session)[0], session.environment.edge.https_port
    try:
        context.set_ciphers(OLD_CIPHERS)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    except (ValueError, ssl.SSLError) as error:
        raise SkippedError(NO_OLD_TLS) from error
    try:
        with (
            socket.create_connection((name, port), timeout=HANG_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=name),
        ):
            raise FailedError("TLS 1.1 is accepted")
    except ssl.SSLError as error:
        # Our own side's: NO_PROTOCOLS_AVAILABLE, NO_CIPHERS_AVAILABLE.
        if str(error.reason).startswith("NO_"):
            raise SkippedError(f"{NO_OLD_TLS} ({error.reason})") from error
        return f"TLS 1.1 is refused ({error.reason})"


def redirect(session: Session) -> str:
    environment = session.environment
    seen = []
    for service in environment.dns_names:
        url = f"http://{environment.dns_name(service)}:{environment.edge.http_port}/x"
        response = session.http.get(url)
        evidence = status_is(response, 301, 308)
        target = response.headers.get("location", "")
        require(target == f"{environment.url(service)}/x", f"{service}: redirected to {target}")
        seen.append(evidence)
    return f"{len(seen)} names redirect to https"


def unknown_host(session: Session) -> str:
    response = session.http.get(
        f"{session.environment.url('fhir')}/fhir/metadata", headers={"Host": "other.example.org"}
    )
    return status_is(response, 421, what="another Host")


def headers(session: Session) -> str:
    response = session.fhir("GET", "metadata")
    for name, wanted in (
        ("strict-transport-security", "max-age="),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ):
        found = response.headers.get(name, "")
        require(wanted in found, f"{name}: {found or 'missing'}")
    for name in ("server", "x-powered-by"):
        require(name not in response.headers, f"{name} is shown: {response.headers.get(name)}")
    own = session.http.get(f"{session.environment.url('fhir')}/nothing")
    status_is(own, 404, what="the edge's own answer")
    require("strict-transport-security" in own.headers, "the edge's own answer has no HSTS")
    require("OperationOutcome" in own.text, "the edge's own answer is no OperationOutcome")
    slash = session.fhir("GET", f"{session.environment.fhir_base}//metadata/")
    status_is(slash, 200, what="a base with a slash at its end")
    return "HSTS, nosniff and referrer policy are set, by the edge itself too; no server version"


def big_token(session: Session) -> str:
    size = session.environment.edge.max_header_kib * 1024 * 3 // 4
    response = session.fhir("GET", "Patient", "x" * size)
    return status_is(response, 401, what=f"a token of {size // 1024} KiB reaches the gateway")


def big_body(session: Session) -> str:
    limit = session.environment.edge.max_body_mib * 2**20
    url = httpx.URL(session.environment.fhir_base)
    context = ssl.create_default_context(
        cafile=str(session.authority) if session.authority else None
    )
    # Only the announcement is sent: a good edge does not wait for the body.
    head = f"POST /fhir HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: {limit + 1}\r\n\r\n"
    with (
        closing(
            socket.create_connection((url.host, url.port or 443), timeout=HANG_SECONDS)
        ) as plain,
        context.wrap_socket(plain, server_hostname=url.host) as secure,
    ):
        secure.sendall(head.encode())
        answer = secure.recv(4096).split(b"\r\n")[0].decode()
    return require(" 413 " in f"{answer} ", f"a body above the limit: {answer}")


def refused_bodies(session: Session) -> str:
    """Post what is refused, with small and large bodies; then ask as another client.

    The bodies are empty lines with a request behind them: where the rest of a body is taken for
    the next client's request, that one gets another answer than before, or none.
    """
    environment = session.environment
    gateway = (GATEWAY_PREFIX + "/fhir", GATEWAY_PREFIX + "/fhir/metadata")
    realm = f"/auth/realms/{environment.realm.name}"
    userinfo = f"{realm}/protocol/openid-connect/userinfo"
    ways: dict[WebService, tuple[str, str]] = {
        "fhir": ("/fhir", "/fhir/metadata"),
        "keycloak": (userinfo, f"{realm}/.well-known/openid-configuration"),
        "web": gateway,
        "superset": ("/api/v1/chart/", "/api/v1/me/"),
    }
    pairs, names = 0, []
    for service, (refused, good) in ways.items():
        if not environment.runs(service) or (service == "web" and not environment.runs("fhir")):
            continue
        names.append(service)
        with _http2(session, service) as stranger, _http2(session, service) as other:
            before = [client.ask("GET", good).status for client in (stranger, other)]
            for size in (2_000, 300_000) * 10:
                session.go_on()
                body = b"\r\n" * (size // 2) + b"GET /stolen HTTP/1.1\r\nHost: x\r\nX-Rest: "
                kind = [("content-type", "application/fhir+json")]
                answer = stranger.ask("POST", refused, kind, body)
                what = f"{service}: a POST of {size} bytes without a token"
                require(400 <= answer.status < 500, f"{what}: {answer.status}")
                after = other.ask("GET", good).status
                require(after == before[1], f"{what}; then another's GET: {after}, not {before[1]}")
                pairs += 1
    return f"{pairs} refused bodies, small and large, and the next request of another was whole" + (
        f" ({', '.join(names)})"
    )


def slow_bodies(session: Session) -> str:
    """Leave a hundred bodies unfinished at each name, and ask it something else."""
    environment = session.environment
    realm = f"/auth/realms/{environment.realm.name}"
    ways: dict[WebService, tuple[str, str]] = {
        "fhir": ("/fhir", "/fhir/metadata"),
        "keycloak": (f"{realm}/login-actions/authenticate", f"{realm}/account"),
        "superset": ("/api/v1/security/login", "/api/v1/me/"),
    }
    seen = []
    for service, (slow, good) in ways.items():
        if not environment.runs(service):
            continue
        with _http2(session, service) as stranger, _http2(session, service) as other:
            before = other.ask("GET", good).status
            for _ in range(100):
                stream = stranger.begin("POST", slow, [("content-length", "30")], body=True)
                stranger.send(stream, b"{")
            after = other.ask("GET", good).status
            require(after == before, f"{service}: {after} beside slow bodies, {before} without")
            # However slow the machine is: it did not wait until they were given up.
            given_up = stranger.answered()
            require(not given_up, f"{service}: others waited until {given_up} bodies were given up")
        seen.append(service)
    return f"100 unfinished bodies each, and others were served: {', '.join(seen)}"


def _http2(session: Session, service: WebService) -> Http2:
    name = session.environment.dns_name(service)
    context = trust(
        ssl.create_default_context(cafile=str(session.authority) if session.authority else None)
    )
    address = (name, session.environment.edge.https_port)
    return Http2(name, address, context, seconds=HANG_SECONDS)


def closed_paths(session: Session) -> str:
    base = session.environment.url("keycloak")
    realm = session.environment.realm.name
    paths = (
        "/auth/admin/", "/auth/admin/master/console/", f"/auth/admin/{realm}/console/",
        "/auth/admin/realms", "/auth/admin/realms/master", "/auth/realms/master",
        "/auth/realms/master/protocol/openid-connect/token", "/auth/realms/%6Daster",
        f"/auth/realms/{realm}/%2e%2e/master", f"/auth/realms/{realm}/..%2fmaster",
        f"/auth/realms/{realm}/clients-registrations/default",
        "/auth/health", "/auth/metrics", "/", "/auth/",
    )  # fmt: skip
    for path in paths:
        response = session.http.get(httpx.URL(base, raw_path=path.encode()))
        status_is(response, 400, 403, 404, what=path)
    # Behind an upgrade no rule would be asked.
    upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMA"}
    upgraded = session.http.get(
        f"{session.environment.issuer}/.well-known/openid-configuration", headers=upgrade
    )
    status_is(upgraded, 200, what="an upgrade to HTTP/2 in clear text, which is not made")
    return f"{len(paths)} paths of the master realm, consoles and metrics are closed; no upgrade"


def backend_paths(session: Session) -> str:
    base = session.environment.url("fhir")
    paths = ("/", "/actuator/health", "/actuator/prometheus", "/fhirx", "/fhir/../actuator")
    for path in paths:
        response = session.http.get(httpx.URL(base, raw_path=path.encode()))
        status_is(response, 400, 404, what=path)
    return f"{len(paths)} paths outside of /fhir are closed"


def realm_admin_api(session: Session) -> str:
    base = session.environment.url("keycloak")
    url = f"{base}/auth/admin/realms/{session.environment.realm.name}/users"
    status_is(session.http.get(url), 401, what="users without a token")
    worker = session.tokens_of(session.people.nurse)["access_token"]
    denied = session.http.get(url, headers={"Authorization": f"Bearer {worker}"})
    status_is(denied, 403, what="users as a health worker")
    token = session.tokens_of(session.people.administrator)["access_token"]
    response = session.http.get(
        url, params={"max": 1}, headers={"Authorization": f"Bearer {token}"}
    )
    return status_is(response, 200, what="users as an administrator")


def rate_limit(session: Session) -> str:
    """Guess the password of a user who is not there; then another user logs in beside it."""
    limit = session.environment.edge.failed_logins_per_user
    guess = {
        "grant_type": "password",
        "client_id": session.environment.realm.clients.android.id,
        "username": f"verify-nobody-{secrets.token_hex(8)}",
        "password": "wrong",
    }
    for number in range(1, limit + 2):
        response = session.grant(**guess)
        if response.status_code == 429:
            wait = response.headers.get("retry-after")
            require(wait is not None, "429 without Retry-After")
            tokens = session.tokens_of(session.wake(session.people.nurse))
            beside = session.grant(
                grant_type="refresh_token",
                client_id=session.environment.realm.clients.android.id,
                refresh_token=tokens["refresh_token"],
            )
            status_is(beside, 200, what="another user's session from the same address")
            return f"held after {number - 1} wrong passwords; another user goes on"
        status_is(response, 400, 401, what="a wrong password")
    raise FailedError(f"{limit + 1} wrong passwords of one user, and none was held")


CHECKS = (
    Check("dns.names", "dns.public-address", "Names lead to the load balancer", dns),
    Check("tls.names", "tls.issuer", "Every name has its valid certificate", certificates),
    Check("tls.old", "tls.issuer", "TLS below 1.2 is refused", old_tls),
    Check("edge.redirect", "tls.issuer", "HTTP is redirected to HTTPS", redirect),
    Check("edge.unknown-host", "dns.distinct", "Other names are refused", unknown_host),
    Check("edge.headers", "services.fhir-gateway", "Security headers are set", headers),
    Check("edge.big-token", "services.fhir-gateway", "Tokens with many roles pass", big_token),
    Check("edge.slow-bodies", "services.keycloak", "Slow bodies hold no service", slow_bodies),
    Check("edge.big-body", "services.fhir-gateway", "Bodies above the limit are refused", big_body),
    Check(
        "edge.keycloak-closed",
        "services.keycloak",
        "Master realm and consoles closed",
        closed_paths,
    ),
    Check("edge.fhir-closed", "services.fhir-gateway", "Nothing but FHIR is open", backend_paths),
    Check(
        "edge.realm-admin", "services.keycloak", "The realm's admin API is open", realm_admin_api
    ),
    Check("edge.rate-limit", "services.keycloak", "Guessers of passwords are held", rate_limit),
)
ALONE = (
    Check(
        "edge.refused-bodies",
        "services.fhir-gateway",
        "Refused bodies spoil no request",
        refused_bodies,
    ),
)
"""What needs that nobody else sends requests."""
