"""Measures what the edge's rules cost: this template ÷ the one of an earlier commit.

Both run before the services of a running stack, and take turns. A third, this template with
connections to the services kept, tells what one request a connection costs alone.
"""

import argparse
import contextlib
import datetime
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO

from bench.client import percentile, read_answer
from fhirstack.checks.http2 import Http2, trust
from fhirstack.checks.local import session_of
from fhirstack.planes.local.platform import existing, open_platform

LOGIN = "/auth/realms/opensrp/login-actions/authenticate"
SLOW = 500
ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
RENDER = """
import json, sys
from fhirstack.model.local import local_environment
from fhirstack.services import edge
from fhirstack.services.workload import Endpoint
given = json.load(sys.stdin)
environment = local_environment(given["name"], https_port=given["https"], http_port=given["http"])
environment = environment.model_copy(update={"services": tuple(given["backends"])})
listen = edge.Listen("127.0.0.1", given["certificates"], given["socket"])
ends = {name: Endpoint(*end) for name, end in given["backends"].items()}
print(edge.render(environment, listen, ends))
"""


@dataclass(frozen=True)
class Case:
    """A request: its service's name, and what is sent."""

    service: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


@dataclass(frozen=True)
class Edge:
    """A running edge: its port, the stack's domain, and the authority of its certificates."""

    port: int
    domain: str
    authority: str

    def context(self) -> ssl.SSLContext:
        """Return what verifies it."""
        return ssl.create_default_context(cafile=self.authority)

    def name(self, case: Case) -> str:
        """Return the DNS name of a case's service."""
        return f"{case.service}.{self.domain}"


def http1(edge: Edge, case: Case, count: int) -> list[float]:
    """Send a request ``count`` times on one connection of HTTP/1.1; return the seconds."""
    with _connect(edge, case) as secure:
        stream: BinaryIO = secure.makefile("rb", buffering=1 << 16)
        content = _content(edge, case)
        return [_timed(lambda: _ask(secure, stream, content)) for _ in range(count)]


def http2(edge: Edge, case: Case, count: int) -> list[float]:
    """Send a request ``count`` times on one connection of HTTP/2; return the seconds."""

    def ask() -> int:
        return client.ask(case.method, case.path, case.headers, case.body).status

    with Http2(edge.name(case), ("127.0.0.1", edge.port), trust(edge.context())) as client:
        return [_timed(ask) for _ in range(count)]


def connections(edge: Edge, case: Case, count: int) -> list[float]:
    """Open a connection with TLS for each request; return the seconds."""
    content, context = _content(edge, case), edge.context()

    def ask() -> int:
        with _connect(edge, case, context) as secure:
            return _ask(secure, secure.makefile("rb"), content)

    return [_timed(ask) for _ in range(count)]


WAYS = {"HTTP/1.1": http1, "HTTP/2": http2, "a TLS connection each": connections}


def main() -> None:
    """Run all cases in turns, print ratios, keep the raw data."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--name", default="fhirstack")
    options.add_argument("--commit", default="a3560ae", help="the edge that is compared with")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--requests", type=int, default=160, help="a round, case and way")
    chosen = options.parse_args()
    raw: dict[str, list[list[float]]] = {}
    with contextlib.ExitStack() as stack:
        cases, edges = prepare(stack, chosen.name, chosen.commit)
        for round_ in range(chosen.rounds + 1):
            for clients in (1, 8):
                for title, case in cases.items():
                    for way, measure in WAYS.items():
                        for version, edge in edges.items():
                            took = together(measure, edge, case, chosen.requests, clients)
                            if round_:  # the first one warms up
                                raw.setdefault(f"{title}|{way}|{clients}|{version}", []).append(
                                    took
                                )
            print(f"round {round_} of {chosen.rounds}", file=sys.stderr)
        held = beside_slow(edges["now"], cases, chosen.requests * chosen.rounds)
    print(table(raw))
    print(*held, sep="\n")
    now = datetime.datetime.now(datetime.UTC)
    facts = {"commit": chosen.commit, "load": os.getloadavg(), "cores": os.cpu_count(),
             "requests": chosen.requests, "rounds": chosen.rounds}  # fmt: skip
    path = RESULTS / f"edge-{now:%Y%m%d-%H%M%S}.json"
    short = {key: [[round(one * 1e6) for one in took] for took in rounds]
             for key, rounds in raw.items()}  # fmt: skip
    kept = {"facts": facts, "microseconds": short, "slow": held}
    path.write_text(json.dumps(kept, separators=(",", ":")) + "\n")


def together(
    measure: Callable[[Edge, Case, int], list[float]],
    edge: Edge,
    case: Case,
    count: int,
    clients: int,
) -> list[float]:
    """Measure by several processes at once; the first of the seconds is that of all together."""
    started = time.perf_counter()
    if clients == 1:
        parts = [measure(edge, case, count)]
    else:
        with get_context("fork").Pool(clients) as pool:
            started = time.perf_counter()
            parts = pool.starmap(measure, [(edge, case, count // clients)] * clients)
    return [time.perf_counter() - started, *(seconds for part in parts for seconds in part)]


def beside_slow(edge: Edge, cases: dict[str, Case], count: int) -> list[str]:
    """Measure honest requests without and beside 500 unfinished bodies, by turns of each name."""
    slow = {"fhir": "/fhir", "keycloak": LOGIN, "superset": "/api/v1/security/login"}
    lines = []
    for title, case in cases.items():
        if case.body is not None or case.service not in slow:
            continue
        alone = sorted(http1(edge, case, count))
        with contextlib.ExitStack() as stack:
            for _ in range(SLOW // 100):
                way = ("127.0.0.1", edge.port)
                client = Http2(edge.name(case), way, trust(edge.context()), seconds=120)
                stack.enter_context(client)
                for _ in range(100):
                    stream = client.begin(
                        "POST", slow[case.service], [("content-length", "30")], body=True
                    )
                    client.send(stream, b"x")
            beside = sorted(http1(edge, case, count))
        ratios = [percentile(beside, p) / percentile(alone, p) for p in (0.5, 0.95)]
        lines.append(
            f"{case.service}, {title}: beside {SLOW} slow bodies p50 times {ratios[0]:.2f},"
            f" p95 times {ratios[1]:.2f} ({percentile(alone, 0.95) * 1000:.1f} ms without)"
        )
    return lines


def prepare(
    stack: contextlib.ExitStack, name: str, commit: str
) -> tuple[dict[str, Case], dict[str, Edge]]:
    """Return the cases, and the edges by version; they run until the stack ends."""
    platform = open_platform(existing(name))
    with session_of(platform) as session:
        bearer = ("authorization", f"Bearer {session.pipeline_token()}")
    search = {"request": {"method": "GET", "url": "Patient?_count=1"}}
    batch = {"resourceType": "Bundle", "type": "batch", "entry": [search]}
    sent = (bearer, ("content-type", "application/fhir+json"))
    cases = {
        "the gateway's own answer": Case("fhir", "GET", "/fhir/.well-known/smart-configuration"),
        "Keycloak's configuration": Case(
            "keycloak", "GET", "/auth/realms/opensrp/.well-known/openid-configuration"
        ),
        "search": Case("fhir", "GET", "/fhir/Patient?_count=1", (bearer,)),
        "batch": Case("fhir", "POST", "/fhir", sent, json.dumps(batch).encode()),
    }
    ends = platform.stack.endpoints
    backends = {
        service: (ends[target].host, ends[target].port)
        for service, target in (
            ("fhir", ("fhir-gateway", "http")),
            ("keycloak", ("keycloak", "http")),
            ("superset", ("superset", "http")),
        )
        if target in ends
    }
    work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit, "src"], check=True, capture_output=True
    )
    subprocess.run(["tar", "-x", "-C", str(work)], input=archive.stdout, check=True)
    tls = platform.stack.path("tls")
    edges = {}
    for version in ("before", "now", "kept"):
        https, http = _free_ports()
        given = {
            "name": name, "https": https, "http": http, "backends": backends,
            "certificates": str(tls / "edge"), "socket": str(work / f"{version}.sock"),
        }  # fmt: skip
        source = work / "src" if version == "before" else ROOT / "src"
        text = subprocess.run(
            [sys.executable, "-c", RENDER], input=json.dumps(given), text=True, check=True,
            capture_output=True, env={**os.environ, "PYTHONPATH": str(source)},
        ).stdout  # fmt: skip
        if version == "kept":
            text = text.replace("option http-server-close", "option http-keep-alive")
        stack.enter_context(_running(work / f"{version}.cfg", text, https))
        edges[version] = Edge(https, f"{name}.localhost", str(tls / "ca.pem"))
    return cases, edges


@contextlib.contextmanager
def _running(path: Path, text: str, port: int) -> Iterator[None]:
    path.write_text(text)
    haproxy = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    with path.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen([str(haproxy), "-db", "-q", "-f", str(path)], stdout=log)
        try:
            while process.poll() is None:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                time.sleep(0.02)
            yield
        finally:
            process.kill()
            process.wait()


def table(raw: dict[str, list[list[float]]]) -> str:
    """Return the ratios as text: requests a second, and the 95th percentile."""
    lines = [
        f"{'case':<26}{'way':<23}{'clients':>8}{'before/s':>10}{'now ÷':>8}{'kept ÷':>8}"
        f"{'p95 before':>13}{'now ÷':>8}{'kept ÷':>8}"
    ]
    for key in raw:
        title, way, clients, version = key.split("|")
        if version != "before":
            continue
        rates, tails = [], []
        for name in ("before", "now", "kept"):
            took = raw[f"{title}|{way}|{clients}|{name}"]
            rates.append(sum(len(one) - 1 for one in took) / sum(one[0] for one in took))
            tails.append(percentile([seconds for one in took for seconds in one[1:]], 0.95))
        lines.append(
            f"{title:<26}{way:<23}{clients:>8}{rates[0]:>10.0f}{rates[1] / rates[0]:>8.2f}"
            f"{rates[2] / rates[0]:>8.2f}{tails[0] * 1000:>10.2f} ms{tails[1] / tails[0]:>8.2f}"
            f"{tails[2] / tails[0]:>8.2f}"
        )
    return "\n".join(lines)


def _connect(edge: Edge, case: Case, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", edge.port), timeout=120)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return (context or edge.context()).wrap_socket(plain, server_hostname=edge.name(case))


def _content(edge: Edge, case: Case) -> bytes:
    lines = [f"{case.method} {case.path} HTTP/1.1", f"Host: {edge.name(case)}:{edge.port}"]
    lines += [f"{name}: {value}" for name, value in case.headers]
    if case.body is not None:
        lines.append(f"Content-Length: {len(case.body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (case.body or b"")


def _ask(secure: ssl.SSLSocket, stream: BinaryIO, content: bytes) -> int:
    secure.sendall(content)
    status, _ = read_answer(stream)
    return status


def _timed(ask: Callable[[], int]) -> float:
    started = time.perf_counter()
    status = ask()
    took = time.perf_counter() - started
    if status != 200:
        raise RuntimeError(f"answer {status}")
    return took


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


if __name__ == "__main__":
    main()
