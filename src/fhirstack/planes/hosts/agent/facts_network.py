"""What a host reaches: package repositories, the internet, names, resolvers, time servers."""

import base64
import glob
import re
import secrets
import socket
import ssl
import struct
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from ipaddress import ip_address
from typing import Any, Callable, Hashable, Iterable, Iterator, TypeVar

from fhirstack.planes.hosts.agent.base import AgentError, at, read, run

FETCH_SECONDS = 10
DNS_SECONDS = 2
DNS_PORT = 53
NTP_PORT = 123
_TRIES = 3
"""Of a datagram: a lost one is no closed firewall. TCP sends its own again."""
_TYPES = {"A": 1, "AAAA": 28}
_CODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_NXDOMAIN = 3
_TO_UNIX = 2208988800
"""Seconds from 1900, where NTP's time begins, to 1970."""

Key = TypeVar("Key", bound=Hashable)


def together(
    questions: "dict[Key, Callable[[], Any]]", seconds: float
) -> "dict[Key, dict[str, Any]]":
    """Ask all at once; return ``{"value": …}`` or ``{"error": …}`` of each, late ones too."""
    answers: "dict[Key, dict[str, Any]]" = {}

    def ask(key: Key) -> None:
        try:
            answers[key] = {"value": questions[key]()}
        except (AgentError, OSError, ValueError) as problem:
            answers[key] = {"error": words(problem)}

    # Daemons: what hangs in a look-up keeps nobody waiting.
    threads = [threading.Thread(target=ask, args=(key,), daemon=True) for key in questions]
    for thread in threads:
        thread.start()
    limit = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, limit - time.monotonic()))
    late = {"error": f"no answer within {seconds:.0f} s"}
    return {key: answers.get(key, late) for key in questions}


def words(problem: Exception) -> str:
    """Return what went wrong, for people."""
    if isinstance(problem, urllib.error.HTTPError):
        return f"HTTP {problem.code}"
    if isinstance(problem, urllib.error.URLError):
        reason = problem.reason
        return words(reason) if isinstance(reason, Exception) else str(reason)
    if isinstance(problem, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(problem, TimeoutError):
        return "no answer"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return str(problem)


def proxies() -> "dict[str, str]":
    """Return the proxies of apt's configuration, else those of /etc/environment, by scheme."""
    found = {}
    for line in (read("/etc/environment") or "").splitlines():
        key, _, value = line.removeprefix("export ").partition("=")
        scheme, _, kind = key.strip().lower().partition("_")
        if kind == "proxy" and scheme in ("http", "https"):
            found[scheme] = value.strip().strip("\"'")
    try:
        text = run(["apt-config", "dump"], timeout=10, check=False).stdout
    except AgentError:
        text = ""
    for scheme, value in re.findall(r'^Acquire::(https?)::Proxy "([^"]+)";', text, re.M | re.I):
        found[scheme.lower()] = value
    return {scheme: value for scheme, value in found.items() if value.upper() != "DIRECT"}


def fetch(url: str, by: "dict[str, str]") -> int:
    """Return the HTTP status of a URL: an answer of any kind shows that it is reached."""
    try:
        return _open(url, by)
    except urllib.error.HTTPError as answered:
        return answered.code


def release(url: str, by: "dict[str, str]") -> int:
    """Return the HTTP status of a repository's signed list, or of its older form."""
    if not url.startswith(("http://", "https://")):
        raise AgentError(f"{url.partition(':')[0]}: is not fetched by HTTP: not looked at")
    try:
        return _open(f"{url}/InRelease", by)
    except urllib.error.HTTPError as answered:
        if answered.code != 404:
            raise
        return _open(f"{url}/Release", by)


def _open(url: str, by: "dict[str, str]") -> int:
    parts = urllib.parse.urlsplit(url)
    request = urllib.request.Request(without_password(url))  # noqa: S310 - see release
    request.add_header("User-Agent", "fhirstack-preflight")
    if parts.username:
        pair = f"{parts.username}:{parts.password or ''}"
        pair = base64.b64encode(urllib.parse.unquote(pair).encode()).decode()
        request.add_header("Authorization", f"Basic {pair}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(by))
    with opener.open(request, timeout=FETCH_SECONDS) as response:
        response.read(1)
        return int(response.status)


def without_password(url: str) -> str:
    """Return a URL without the user and password that may stand in it."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def repositories() -> "list[str]":
    """Return the directory of each package repository that apt uses, where its list lies."""
    files = [at("/etc/apt/sources.list"), *sorted(glob.glob(at("/etc/apt/sources.list.d/*")))]
    found: "dict[str, None]" = {}
    for file in files:
        path = file[len(at("")) :]
        parse = (
            _stanzas if path.endswith(".sources") else _lines if path.endswith(".list") else None
        )
        text = read(path) if parse else None
        for uri, suite in parse(text) if parse and text else ():
            base = uri.rstrip("/")
            flat = suite.endswith("/")
            place = f"{base}/{suite.strip('./')}" if flat else f"{base}/dists/{suite}"
            found[place.rstrip("/")] = None
    return list(found)


def _lines(text: str) -> "Iterator[tuple[str, str]]":
    """Yield URI and suite of each ``deb`` line."""
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)", line)
        if found:
            yield found[1], found[2]


def _stanzas(text: str) -> "Iterator[tuple[str, str]]":
    """Yield URI and suite of each stanza in the form of deb822 that is enabled."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields: "dict[str, list[str]]" = {}
        key = ""
        for line in stanza.splitlines():
            if line[:1] in (" ", "\t"):
                fields.setdefault(key, []).extend(line.split())
            else:
                key = line.partition(":")[0].strip().lower()
                fields.setdefault(key, []).extend(line.partition(":")[2].split())
        if fields.get("enabled", ["yes"])[:1] == ["no"] or "deb" not in fields.get("types", ()):
            continue
        for uri in fields.get("uris", ()):
            for suite in fields.get("suites", ()):
                yield uri, suite


def served(name: str, port: int) -> str:
    """Return the certificate, as PEM, that is served here for a name. It is not judged."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), FETCH_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=name) as channel,
    ):
        return ssl.DER_cert_to_PEM_cert(channel.getpeercert(binary_form=True) or b"")


def addresses_of(name: str, servers: "Iterable[str]") -> "dict[str, list[str]]":
    """Return a name's A and AAAA records as a DNS server says, /etc/hosts aside.

    Servers are asked one after the other until one answers. Raises AgentError where none does.
    """
    problem = "the host has no resolver"
    for server in servers:
        try:
            return {kind: query(server, name, kind)[1] for kind in _TYPES}
        except (AgentError, OSError, ValueError) as error:
            problem = f"{server}: {words(error)}"
    raise AgentError(problem)


def answers(server: str, name: str) -> str:
    """Return the code of a DNS server's answer: any answer shows that it is reached."""
    return query(server, name, "A", strict=False)[0]


def query(server: str, name: str, kind: str, strict: bool = True) -> "tuple[str, list[str]]":
    """Ask a DNS server; return its code and the addresses.

    A name that does not exist has none. Raises AgentError for another code (with ``strict``), and
    OSError where nothing answers.
    """
    plain = server.partition("%")[0]
    family = socket.AF_INET6 if ip_address(plain).version == 6 else socket.AF_INET
    number = secrets.randbelow(1 << 16)
    labels = b"".join(bytes((len(part),)) + part.encode("idna") for part in name.split("."))
    message = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0"
    message += struct.pack(">2H", _TYPES[kind], 1)
    reply = _asked(family, (server, DNS_PORT), message, 4096)[0]
    if len(reply) < 12 or struct.unpack(">H", reply[:2])[0] != number:
        raise AgentError("its answer is not to the question")
    return _records(reply, _TYPES[kind], strict)


def _asked(
    family: int, target: "tuple[Any, ...]", message: bytes, size: int
) -> "tuple[bytes, float, float]":
    """Send a datagram; return the one that answers, and when each was on its way by our clock.

    Raises TimeoutError where none of a few is answered.
    """
    left = _TRIES
    while True:
        left -= 1
        with socket.socket(family, socket.SOCK_DGRAM) as channel:
            channel.settimeout(DNS_SECONDS)
            channel.connect(target)
            sent = time.time()
            channel.send(message)
            try:
                return channel.recv(size), sent, time.time()
            except TimeoutError:
                if not left:
                    raise


def _records(reply: bytes, kind: int, strict: bool) -> "tuple[str, list[str]]":
    _, flags, questions, count, _, _ = struct.unpack(">6H", reply[:12])
    code = flags & 15
    if strict and code not in (0, _NXDOMAIN):
        raise AgentError(_CODES.get(code, f"code {code}"))
    found = []
    place = 12
    try:
        for _ in range(questions):
            place = _after_name(reply, place) + 4
        for _ in range(count):
            place = _after_name(reply, place)
            of, _, _, length = struct.unpack(">HHIH", reply[place : place + 10])
            place += 10
            if of == kind:
                found.append(str(ip_address(reply[place : place + length])))
            place += length
    except (IndexError, struct.error):
        raise AgentError("its answer cannot be read") from None
    return _CODES.get(code, "NOERROR"), sorted(found)


def _after_name(reply: bytes, place: int) -> int:
    """Return where a name in a DNS message ends: at a zero, or after a reference of two bytes."""
    while reply[place]:
        if reply[place] >= 0xC0:
            return place + 2
        place += 1 + reply[place]
    return place + 1


def time_of(server: str) -> float:
    """Return how far a time server's clock is ahead of this host's, in seconds (RFC 4330)."""
    (family, _, _, _, target), *_ = socket.getaddrinfo(server, NTP_PORT, type=socket.SOCK_DGRAM)
    reply, sent, received = _asked(family, target, b"\x23" + bytes(47), 512)
    if len(reply) < 48 or reply[0] & 7 != 4:
        raise AgentError("its answer is not of NTP")
    if reply[0] >> 6 == 3 or reply[1] == 0:
        raise AgentError("it answers that its own clock is not synchronised")
    arrived, left = (_seconds(reply[at : at + 8]) for at in (32, 40))
    return ((arrived - sent) + (left - received)) / 2


def _seconds(stamp: bytes) -> float:
    whole, part = struct.unpack(">2I", stamp)
    return float(whole) - _TO_UNIX + float(part) / (1 << 32)
