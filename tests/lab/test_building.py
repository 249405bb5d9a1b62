"""From bare hosts to what is declared; then nothing is left to do."""

import json

import pytest
import yaml

from tests import partner
from tests.lab.conftest import until

pytestmark = pytest.mark.lab


def test_preflight_finds_what_the_partner_gave(preflight):
    nothing_failed(preflight)


def test_preflight_accepts_what_was_built(built):
    nothing_failed(built("preflight", "--format", "json"))


def nothing_failed(answer):
    results = json.loads(answer.out)["results"]
    assert [row for row in results if row["verdict"] == "failed"] == []
    assert answer.code == 0, answer.err


def test_after_apply_nothing_differs_and_a_second_apply_does_nothing(built):
    before = {host: built.records(host.removeprefix("production-")) for host in built.hosts}
    assert all(records and records[-1]["errors"] == {} for records in before.values())
    answer = built.ok("plan")
    assert "11 hosts: 11 as declared." in answer.out
    again = built.ok("apply", "--yes")
    assert "Nothing to do." in again.err
    after = {host: built.records(host.removeprefix("production-")) for host in built.hosts}
    assert after == before


def test_a_plan_of_one_role_asks_its_hosts_alone(built):
    answer = built.ok("plan", "--role", "worker", "--host", "production-db", "--format", "json")
    assert json.loads(answer.out)["hosts"].keys() == {
        "production-db",
        *(f"production-worker-{number}" for number in (1, 2, 3, 4)),
    }


def test_what_was_built_serves(built):
    for host, services in {
        "lb": ("haproxy", "chrony", "nftables", "ssh"),
        "db": ("postgresql@17-main", "redis-server", "prometheus-node-exporter"),
        "nfs": ("nfs-ganesha",),
        "worker-1": ("containerd", "rsyslog"),
        "analytics": ("containerd",),
    }.items():
        states = built.shell(host, f"systemctl is-active {' '.join(services)} || true").split()
        assert states == ["active"] * len(services), (host, services, states)
    # Over TLS, from a cluster node, with the environment's own authority.
    listening = built.shell("db", "ss -Hltn | awk '{print $4}'")
    assert "10.77.0.51:5432" in listening
    assert "0.0.0.0:5432" not in listening
    names = built.shell("worker-1", "getent hosts production-db production-lb")
    assert "10.77.0.51" in names or "fd77::51" in names


def test_ssh_and_run_go_the_same_way(built):
    answer = built.ok("run", "--role", "primary", "--", "echo", "it's", "$HOME; *")
    assert answer.out.count("it's $HOME; *") == 3
    failing = built("run", "--host", "production-db", "--", "false")
    assert failing.code == 1
    assert "exit code 1" in failing.out


def test_secrets_are_in_no_command_line_and_no_open_file(built):
    secrets = [
        path.read_text().strip()
        for path in (built.site.parent / "secrets/production").iterdir()
        if path.is_file() and "BEGIN" not in path.read_text()
    ]
    assert secrets
    text = built.shell(
        "db", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; cat /etc/redis/* 2>/dev/null"
    )
    journal = built.shell("db", "journalctl --no-pager -q")
    for secret in secrets:
        assert secret not in text
        assert secret not in journal
    for path in (built.site.parent / "secrets/production").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


SEEN = """
import socket, ssl, sys
context = ssl.create_default_context(cafile="/run/root.pem")
with socket.create_connection(("203.0.113.10", 443), 30) as plain:
    with context.wrap_socket(plain, server_hostname=sys.argv[1]) as channel:
        print(dict(part[0] for part in channel.getpeercert()["issuer"])["commonName"])
"""


def seen_from_the_internet(built, name):
    """Return who signed what a client on the internet gets, which trusts one root alone."""
    return built.shell("internet", f"python3 - {name} <<'EOF'\n{SEEN}EOF").strip()


def names_of(built):
    domain = yaml.safe_load(built.site.read_text())["environments"]["production"]["domain"]
    return [f"{service}.{domain}" for service in ("fhir", "keycloak", "web", "superset")]


def test_certificates_come_by_acme_and_stay(built):
    until(lambda: built("certs", "check").code == 0, "every name has its certificate", 180)
    built.shell(
        "internet",
        "python3 -c 'import ssl, urllib.request as r; print(r.urlopen("
        '"https://127.0.0.1:15000/roots/0", context=ssl._create_unverified_context()'
        ").read().decode())' > /run/root.pem",
    )
    for name in names_of(built):
        assert seen_from_the_internet(built, name).startswith("Pebble Intermediate")
    # They are the load balancer's own: they are not drift, and no apply takes them away.
    assert built.drift() == {}
    built.ok("apply", "--yes", "--host", "production-lb")
    assert built("certs", "check").code == 0
    closed = built.shell("lb", "stat -c '%a %U' /var/lib/lego /etc/haproxy/certs/*")
    assert set(closed.split("\n")) == {"700 root", "600 root", ""}
    # A second run finds nothing to do, and HAProxy is not disturbed.
    before = built.shell(
        "lb", "systemctl show haproxy -p ExecReload -p MainPID; ls -l /etc/haproxy/certs"
    )
    built.shell("lb", "systemctl start fhirstack-acme.service")
    assert (
        built.shell(
            "lb", "systemctl show haproxy -p ExecReload -p MainPID; ls -l /etc/haproxy/certs"
        )
        == before
    )


def test_certificates_of_the_sites_own_are_served(built, tmp_path):
    def own(environment):
        environment["tls"] = {"issuer": "provided", "directory": "certificates"}

    site = built.edited(tmp_path / "site/site.yaml", own)
    assert built("certs", "check", site=site).code == 1
    built.ok("certs", "request", site=site)
    names = [n for path in site.parent.glob("certificates/*.csr") for n in partner.answer(path)]
    assert set(names) >= set(names_of(built))
    built.ok("certs", "check", site=site)
    changed = built.ok("apply", "--yes", "--host", "production-lb", site=site)
    assert "PRIVATE" not in changed.text
    try:
        root = partner.pem(partner.ROOT).decode()
        built.shell("internet", f"cat > /run/root.pem <<'EOF'\n{root}EOF")
        for name in names:
            assert seen_from_the_internet(built, name) == "Between"
        assert "inactive" in built.shell("lb", "systemctl is-active fhirstack-acme.timer || true")
        # From a machine without the directory: what is served stays.
        (site.parent / "certificates").rename(site.parent / "elsewhere")
        built.ok("apply", "--yes", "--host", "production-lb", site=site)
        assert seen_from_the_internet(built, names[0]) == "Between"
    finally:
        built.ok("apply", "--yes", "--host", "production-lb")
    assert built.drift() == {}

    # Those of ACME come back by themselves.
    def by_acme():
        answer = built("certs", "check", "--format", "json")
        return {one["issuer"][:6] for one in json.loads(answer.out)["names"]} == {"Pebble"}

    until(by_acme, "ACME's certificates are served again", 180)


def received(built, token):
    """Return the messages with a word that monitoring has, as it reads them."""
    lines = built.shell("monitoring", "journalctl -u lab-accept -o cat --no-pager").splitlines()
    return [json.loads(line) for line in lines if token in line]


def test_logs_reach_monitoring_and_nobody_who_only_says_so(built, tmp_path):
    built.shell("worker-1", "logger -t somewhere 'of «today»: token-one'")
    (message,) = until(lambda: received(built, "token-one"), "monitoring has the message")
    assert message["host"] == "production-worker-1"
    assert message["short_message"].strip() == "of «today»: token-one"
    assert (message["_environment"], message["_program"]) == ("production", "somewhere")

    def strange(environment):
        (tmp_path / "other.pem").write_bytes(partner.pem(partner.ROOT))
        environment["monitoring"]["authority"] = str(tmp_path / "other.pem")

    site = built.edited(tmp_path / "site/site.yaml", strange)
    built.ok("apply", "--yes", "--host", "production-worker-1", site=site)
    try:
        built.shell("worker-1", "logger 'token-two'")
        until(
            lambda: "verif" in built.shell("worker-1", "journalctl -u rsyslog -o cat --no-pager"),
            "rsyslog refuses a certificate of an authority that it does not know",
        )
        assert received(built, "token-two") == []
    finally:
        built.ok("apply", "--yes", "--host", "production-worker-1")
    # What waited is sent.
    until(lambda: received(built, "token-two"), "monitoring has what waited")
    assert built.drift() == {}
