"""The agent's side: facts from a directory that stands for a host, and from servers of its own."""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fhirstack.planes.hosts.agent import (
    base,
    facts,
    facts_machine,
    facts_network,
    facts_ports,
    nameservers,
)
from fhirstack.planes.hosts.agent.base import AgentError

FILES = {
    "etc/os-release": 'ID=ubuntu\nVERSION_ID="26.04"\nPRETTY_NAME="Ubuntu 26.04 LTS"\n',
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: x\n\nprocessor\t: 1\n",
    "proc/meminfo": "MemTotal:        8132456 kB\nMemFree: 1 kB\n",
    "proc/swaps": "Filename\tType\tSize\tUsed\tPriority\n/swap.img file 1 0 -2\n",
    "proc/filesystems": "nodev\tsysfs\nnodev\toverlay\n\text4\n",
    "proc/sys/kernel/osrelease": "7.0.0-14\n",
    "proc/self/mountinfo": (
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "2 1 0:5 / /proc rw - proc proc rw\n"
        "3 1 8:2 / /data\\040disk rw shared:1 - xfs /dev/sdb rw\n"
        "4 1 0:9 / /share rw - nfs4 10.0.0.1:/x rw\n"
        "5 1 0:8 / /run/overlay rw - overlay overlay rw\n"
        "6 1 8:9 / /not-there rw - ext4 /dev/sdc rw\n"
    ),
    "lib/modules/7.0.0-14/modules.builtin": "kernel/net/netfilter/nf_conntrack.ko\n",
    "lib/modules/7.0.0-14/modules.dep": (
        "kernel/net/bridge/br_netfilter.ko.zst: kernel/net/bridge/bridge.ko.zst\n"
        "kernel/drivers/net/vx-lan.ko: \n"
    ),
    "sys/block/vda/size": "1000\n",
    "sys/block/loop0/size": "5\n",
    "etc/apt/sources.list": (
        "# deb http://commented.example/ x main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://a.example/ubuntu/ resolute main universe\n"
        "deb-src http://a.example/ubuntu resolute main\n"
        "deb http://a.example/ubuntu resolute restricted\n"
        "deb http://flat.example/ ./\n"
        "deb https://user:pass%40word@private.example/x stable main\n"
    ),
    "etc/apt/sources.list.d/more.sources": (
        "# A comment\nTypes: deb deb-src\nURIs: http://b.example/ubuntu/ http://c.example\n"
        "Suites: resolute\n  resolute-updates\nComponents: main\n\n"
        "Types: deb\nURIs: http://off.example\nSuites: x\nEnabled: no\n\n"
        "Types: deb-src\nURIs: http://src.example\nSuites: x\n"
    ),
    "etc/apt/sources.list.d/old.list.save": "deb http://saved.example x main\n",
    "etc/resolv.conf": "nameserver 127.0.0.53\noptions edns0\n",
    "run/systemd/resolve/resolv.conf": "nameserver 192.0.2.1\nnameserver 192.0.2.2\n",
    "etc/environment": 'HTTP_PROXY="http://proxy.example:3128"\nPATH=/bin\n',
    "var/lib/fhirstack/host.json": '{"environment": "production", "host": "production-db",'
    ' "programme": "p"}',
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    for path in ("data disk", "share", "run/overlay", "sys/block/vda/device", "data"):
        (tmp_path / path).mkdir(parents=True)
    monkeypatch.setattr(base, "ROOT", str(tmp_path))
    return tmp_path


def test_facts_of_a_machine(host: Path) -> None:
    assert facts_machine.system() == {
        "id": "ubuntu",
        "version": "26.04",
        "name": "Ubuntu 26.04 LTS",
    }
    assert facts_machine.cores() == 2
    assert facts_machine.memory() == 8132456 * 1024
    assert facts_machine.swap() == ["/swap.img"]
    assert facts_machine.disks() == {"vda": 512000}
    assert facts.owner() == {
        "environment": "production",
        "host": "production-db",
        "programme": "p",
    }
    found = [(one["mount"], one["source"], one["remote"]) for one in facts_machine.filesystems()]
    assert found == [
        ("/", "/dev/sda1", False),
        ("/data disk", "/dev/sdb", False),
        ("/share", "10.0.0.1:/x", True),
    ]
    (host / "var/lib/containerd").symlink_to(host / "data")
    assert facts_machine.real("/var/lib/containerd/x") == "/data/x"
    assert facts_machine.real("/var/lib/kubelet") == "/var/lib/kubelet"
    assert facts_machine.real("/") == "/"


def test_a_machine_that_tells_nothing(host: Path) -> None:
    for path in FILES:
        (host / path).unlink()
    assert facts_machine.system()["id"] == ""
    assert (facts_machine.cores(), facts_machine.memory()) == (None, None)
    assert (facts_machine.swap(), facts_machine.filesystems()) == ([], [])
    assert facts.owner() is None
    assert facts_network.repositories() == []
    assert nameservers.resolvers() == []
    assert facts_machine.module("br_netfilter") is None


def test_modules(host: Path) -> None:
    found = {name: facts_machine.module(name) for name in ("overlay", "nf_conntrack", "nfsd")}
    assert found == {"overlay": True, "nf_conntrack": True, "nfsd": False}
    assert facts_machine.module("br_netfilter") is True
    assert facts_machine.module("vx_lan") is True
    assert facts_machine.module("bridge") is False
    (host / "sys/module/nfsd").mkdir(parents=True)
    assert facts_machine.module("nfsd") is True


def test_repositories_and_resolvers(host: Path) -> None:
    assert facts_network.repositories() == [
        "http://a.example/ubuntu/dists/resolute",
        "http://flat.example",
        "https://user:pass%40word@private.example/x/dists/stable",
        "http://b.example/ubuntu/dists/resolute",
        "http://b.example/ubuntu/dists/resolute-updates",
        "http://c.example/dists/resolute",
        "http://c.example/dists/resolute-updates",
    ]
    shown = facts_network.without_password("https://user:pass%40word@private.example/x")
    assert shown == "https://private.example/x"
    assert nameservers.resolvers() == ["192.0.2.1", "192.0.2.2"]
    assert facts_network.proxies()["http"] == "http://proxy.example:3128"


def test_ports_with_their_programs() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other,
    ):
        other.bind(("::1", 0))
        port, second = server.getsockname()[1], other.getsockname()[1]
        found = facts_ports.listening([["tcp", port, port], ["udp", second, second]])
        assert facts_ports.listening([["udp", port, port], ["tcp", 1, 0]]) == []
    assert [(one["port"], one["addresses"], one["pid"]) for one in found] == [
        (port, ["127.0.0.1"], os.getpid()),
        (second, ["::1"], os.getpid()),
    ]
    assert all(one["program"] for one in found)


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code = {"/new/InRelease": 200, "/old/Release": 200, "/login/InRelease": 401}.get(self.path)
        if self.path == "/x/InRelease" and self.headers["Authorization"] == "Basic dTpwQHc=":
            code = 200
        self.send_response(code or 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_repositories_are_fetched(web: str) -> None:
    for name in ("new", "old"):
        assert facts_network.release(f"http://{web}/{name}", {}) == 200
    assert facts_network.release(f"http://u:p%40w@{web}/x", {}) == 200
    questions: dict[str, Callable[[], object]] = {
        "login": lambda: facts_network.release(f"http://{web}/login", {}),
        "none": lambda: facts_network.release(f"http://{web}/none", {}),
        "file": lambda: facts_network.release("file:///srv/mirror", {}),
        "closed": lambda: facts_network.fetch("http://127.0.0.1:1/", {}),
        "any": lambda: facts_network.fetch(f"http://{web}/any", {}),
        "proxy": lambda: facts_network.fetch("http://nowhere.invalid/y", {"http": f"http://{web}"}),
    }
    assert facts_network.together(questions, 5) == {
        "login": {"error": "HTTP 401"},
        "none": {"error": "HTTP 404"},
        "file": {"error": "file: is not fetched by HTTP: not looked at"},
        "closed": {"error": "Connection refused"},
        "any": {"value": 404},
        "proxy": {"value": 404},
    }


def test_what_hangs_keeps_nobody_waiting() -> None:
    started = time.monotonic()
    release = threading.Event()
    found = facts_network.together({"slow": release.wait, "quick": lambda: 1}, 0.2)
    release.set()
    assert found == {"slow": {"error": "no answer within 0 s"}, "quick": {"value": 1}}
    assert time.monotonic() - started < 30


Reply = Callable[[bytes], bytes | None]


@pytest.fixture
def udp() -> Iterator[Callable[[Reply], int]]:
    """Return what starts a server that answers datagrams, and gives its port."""
    opened: list[tuple[socket.socket, threading.Thread]] = []

    def start(reply: Reply) -> int:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                message, peer = server.recvfrom(4096)
                if not message:
                    return
                if (answer := reply(message)) is not None:
                    server.sendto(answer, peer)

        thread = threading.Thread(target=serve)
        thread.start()
        opened.append((server, thread))
        return int(server.getsockname()[1])

    yield start
    for server, thread in opened:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ender:
            ender.sendto(b"", server.getsockname())
        thread.join()
        server.close()


def _dns(code: int, count: int = 1) -> Reply:
    """Answer with an alias and its address, names written as references to the question."""

    def reply(message: bytes) -> bytes:
        number, kind = message[:2], struct.unpack(">H", message[-4:-2])[0]
        data = socket.inet_pton(
            socket.AF_INET if kind == 1 else socket.AF_INET6,
            "192.0.2.7" if kind == 1 else "fd00::7",
        )
        alias = b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, 6) + b"\x03lab\xc0\x0c"
        address = b"\x03lab\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
        records = alias + address * count
        head = number + struct.pack(">5H", 0x8180 | code, 1, (1 + count) if count else 0, 0, 0)
        return head + message[12:] + (records if count else b"")

    return reply


def test_names(udp: Callable[[Reply], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_network, "DNS_PORT", udp(_dns(0)))
    found = facts_network.addresses_of("fhir.example.org", ["127.0.0.1"])
    assert found == {"A": ["192.0.2.7"], "AAAA": ["fd00::7"]}
    monkeypatch.setattr(facts_network, "DNS_PORT", udp(_dns(3, 0)))
    assert facts_network.addresses_of("x.example.org", ["127.0.0.1"]) == {"A": [], "AAAA": []}
    assert facts_network.answers("127.0.0.1", "x.example.org") == "NXDOMAIN"
    monkeypatch.setattr(facts_network, "DNS_PORT", udp(_dns(2, 0)))
    with pytest.raises(AgentError, match=r"127\.0\.0\.1: SERVFAIL"):
        facts_network.addresses_of("x.example.org", ["127.0.0.1"])
    assert facts_network.answers("127.0.0.1", "x.example.org") == "SERVFAIL"
    with pytest.raises(AgentError, match="no resolver"):
        facts_network.addresses_of("x.example.org", [])


@pytest.mark.parametrize(
    "change",
    [lambda reply: reply[:-3], lambda reply: b"\0\0" + reply[2:], lambda _: b"short"],
    ids=["cut", "another question's", "too short"],
)
def test_answers_that_are_none(
    udp: Callable[[Reply], int],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[bytes], bytes],
) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda _: 1)
    monkeypatch.setattr(facts_network, "DNS_PORT", udp(lambda message: change(_dns(0)(message))))
    with pytest.raises((AgentError, ValueError)):
        facts_network.query("127.0.0.1", "fhir.example.org", "A")


def _ntp(ahead: float, stratum: int = 2) -> Reply:
    def reply(_: bytes) -> bytes:
        now = time.time() + ahead + 2208988800
        stamp = struct.pack(">2I", int(now), int(now % 1 * 2**32))
        return bytes([0x24, stratum]) + bytes(30) + stamp + stamp

    return reply


def test_time_servers(udp: Callable[[Reply], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_network, "NTP_PORT", udp(_ntp(90)))
    assert facts_network.time_of("127.0.0.1") == pytest.approx(90, abs=20)
    monkeypatch.setattr(facts_network, "NTP_PORT", udp(_ntp(0, stratum=0)))
    with pytest.raises(AgentError, match="not synchronised"):
        facts_network.time_of("127.0.0.1")
    monkeypatch.setattr(facts_network, "NTP_PORT", udp(lambda _: b"x"))
    with pytest.raises(AgentError, match="not of NTP"):
        facts_network.time_of("127.0.0.1")


def test_a_lost_datagram_is_no_closed_firewall(
    udp: Callable[[Reply], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts_network, "DNS_SECONDS", 0.3)
    came: list[bytes] = []

    def third(message: bytes) -> bytes | None:
        came.append(message)
        return _ntp(90)(message) if len(came) == 3 else None

    monkeypatch.setattr(facts_network, "NTP_PORT", udp(third))
    assert facts_network.time_of("127.0.0.1") == pytest.approx(90, abs=20)
    monkeypatch.setattr(facts_network, "NTP_PORT", udp(lambda _: None))
    with pytest.raises(TimeoutError):
        facts_network.time_of("127.0.0.1")


def test_this_machine_answers_in_the_form_that_is_read() -> None:
    found = facts.answer({"paths": ["/"], "modules": ["overlay"], "ports": [["tcp", 1, 65535]]})
    assert found["cores"] >= 1
    assert found["memory"] > 0
    assert any(one["mount"] == "/" for one in found["filesystems"])
    assert found["synchronised"] in (True, False, None)
    assert found["names"] == found["urls"] == found["ntp"] == {}
