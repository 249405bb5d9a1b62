"""What each host reaches: the internet, package repositories, resolvers, time servers."""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from fhirstack.checks.preflight.facts import Facts, Seen, Told
from fhirstack.checks.preflight.registry import host_check
from fhirstack.model.host import Host
from fhirstack.page.matrix import matrix
from fhirstack.page.results import Finding, failed, judge, ok, skipped

INTERNET = (
    "https://registry.k8s.io/",
    "https://quay.io/",
    "https://github.com/",
    "http://archive.ubuntu.com/ubuntu/",
)
"""What stands for the internet: where images and packages come from."""
DEFAULT_TIME_SERVERS = ("ntp.ubuntu.com",)
"""Where the site names none: Ubuntu's own."""
_SOMEWHERE = ip_address("192.88.99.1")
"""Nobody's (RFC 7526): what a name leads to, as far as is known."""
_NO_HTTP = "not looked at"
_PROXY_REFUSES = frozenset({407, 502, 503, 504})
"""What a proxy or gateway on the way answers in the place of what was asked."""


def _problem(told: Told) -> str | None:
    if told.error:
        return told.error
    return f"HTTP {told.value}" if told.value in _PROXY_REFUSES else None


def _by(seen: Seen, facts: Facts) -> str:
    if not facts.proxies:
        return ""
    proxy = seen.environment.network.proxy
    whose = f"the proxy {proxy.url}" if proxy else "the host's proxy"
    return f", by {whose} for {' and '.join(facts.proxies)}"


def _cut_off(seen: Seen, host: Host, facts: Facts) -> list[str]:
    """Return which proxy of the host's own the firewall will close."""
    if seen.environment.network.proxy:
        return []  # It takes the place of the host's own, and was asked through.
    rules = matrix(seen.environment)
    problems = []
    for url in dict.fromkeys(facts.own_proxies.values()):
        try:
            parts = urlsplit(url if "//" in url else f"//{url}")
            name, port = parts.hostname or "", parts.port or 80
        except ValueError:
            name, port = url, 0
        try:
            address = ip_address(name)
        except ValueError:
            # A name may lead to anywhere.
            address = _SOMEWHERE
        sender = next((a for a in host.addresses if a.version == address.version), None)
        if sender is None or not port or not rules.allowed(sender, address, "tcp", port):
            schemes = [scheme for scheme, one in facts.own_proxies.items() if one == url]
            problems.append(
                f"the host gets out by its own proxy {url} ({' and '.join(schemes)}), which the"
                " site does not name: `apply` closes the way to it"
            )
    return problems


def _listed(problems: Mapping[str, str]) -> str:
    """Return problems, those with one cause together."""
    causes: dict[str, list[str]] = {}
    for subject, cause in problems.items():
        causes.setdefault(cause, []).append(subject)
    return "; ".join(f"{', '.join(subjects)}: {cause}" for cause, subjects in causes.items())


@host_check("network.internet-during-setup")
def internet(seen: Seen, __: Host, facts: Facts) -> Finding:
    """Judge that the host reaches something of the internet by HTTPS."""
    asked = {url: told for url, told in facts.urls.items() if url.startswith("https:")}
    if not asked:
        return skipped("nothing was asked")
    problems = {url: text for url, told in asked.items() if (text := _problem(told))}
    reached = [url for url in asked if url not in problems]
    if not reached:
        declared = seen.environment.network.internet_during_setup
        return failed(
            _listed(problems) + ("" if declared else "; the site declares that there is none"),
            "open HTTPS from the host to the internet, or name a proxy in `network.proxy`",
        )
    text = f"reached: {', '.join(reached)}{_by(seen, facts)}"
    return ok(text + (f"; not reached: {_listed(problems)}" if problems else ""))


@host_check("firewall.egress")
def egress(seen: Seen, host: Host, facts: Facts) -> Finding:
    """Judge that the host gets out by HTTP and by HTTPS."""
    asked = {**facts.urls, **facts.repositories}
    cut_off = _cut_off(seen, host, facts)
    if cut_off:
        return failed(
            "; ".join(cut_off), "write `network.proxy: {address: …, port: …}` in the site"
        )
    problems = []
    for scheme in ("http", "https"):
        tried = {url: _problem(told) for url, told in asked.items() if url.startswith(f"{scheme}:")}
        if not tried:
            return skipped(f"nothing was asked by {scheme.upper()}")
        if all(tried.values()):
            causes = {url: text for url, text in tried.items() if text}
            problems.append(f"nothing is reached by {scheme.upper()}: {_listed(causes)}")
    return judge(
        problems,
        f"HTTP and HTTPS are answered{_by(seen, facts)}",
        f"open TCP port {proxy.port} from the host to the proxy {proxy.address}"
        if (proxy := seen.environment.network.proxy)
        else "open TCP ports 80 and 443 from the host to the internet",
    )


@host_check("network.repositories")
def repositories(seen: Seen, _: Host, facts: Facts) -> Finding:
    """Judge that each repository of apt's configuration gives its list."""
    found = facts.repositories
    if not found:
        return failed(
            "apt's configuration names no repository",
            "name those of the distribution in /etc/apt/sources.list.d",
        )
    others = [url for url, told in found.items() if _NO_HTTP in (told.error or "")]
    problems = {url: told.error for url, told in found.items() if told.error and url not in others}
    if problems:
        declared = seen.environment.network.distribution_repositories
        return failed(
            _listed(problems) + ("" if declared else "; the site declares that none is reached"),
            f"open TCP port {proxy.port} to the proxy {proxy.address}"
            if (proxy := seen.environment.network.proxy)
            else "open HTTP to the repository, or name in /etc/apt one that the host reaches",
        )
    if len(others) == len(found):
        return skipped(f"none is fetched by HTTP: {', '.join(others)}")
    return ok(f"{len(found) - len(others)} reached: " + ", ".join(_hosts_of(found, others)))


def _hosts_of(found: Mapping[str, Told], others: list[str]) -> list[str]:
    return list(dict.fromkeys(url.split("/")[2] for url in found if url not in others))


@host_check("firewall.dns")
def resolvers(seen: Seen, _: Host, facts: Facts) -> Finding:
    """Judge that each resolver answers the host: the site's, which it asks after an apply."""
    if not facts.dns:
        return failed("the host has no resolver", "name one in `network.resolvers`")
    problems = {
        server: told.error or f"answers {told.value}: it does not serve this host"
        for server, told in facts.dns.items()
        if told.error or told.value == "REFUSED"
    }
    declared = {str(address) for address in seen.environment.network.resolvers}
    others = [one for one in facts.resolvers if declared and one not in declared]
    now = f"; now it asks {', '.join(others)}: `apply` has it ask the site's" if others else ""
    return judge(
        [_listed(problems) + now] if problems else [],
        f"answered: {', '.join(facts.dns)}{now}",
        "open UDP and TCP port 53 from the host to the site's resolvers, or write in"
        " `network.resolvers` those that answer it"
        if declared
        else "open UDP and TCP port 53 from the host to its resolvers",
    )


@host_check("firewall.time")
def time_servers(_: Seen, __: Host, facts: Facts) -> Finding:
    """Judge that each time server answers the host."""
    if not facts.ntp:
        return skipped("no time server was asked")
    problems = {server: told.error for server, told in facts.ntp.items() if told.error}
    return judge(
        [_listed(problems)] if problems else [],
        "answered: "
        + ", ".join(f"{server} ({told.value:+.3f} s)" for server, told in facts.ntp.items())
        if not problems
        else "",
        "open UDP port 123 from the host to its time servers, or name your own in"
        " `network.time_servers`",
    )
