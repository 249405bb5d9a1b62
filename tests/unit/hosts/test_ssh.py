"""How hosts are reached: the configuration, the way, and what errors say."""

import base64
import subprocess
from pathlib import Path

import pytest

from fhirstack.errors import UnreachableError
from fhirstack.model.load import load_site
from fhirstack.model.template import site_template
from fhirstack.planes.hosts import ssh, ssh_said, trust

KEY = base64.b64encode(b"a public key").decode()


@pytest.fixture
def connections(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    file = tmp_path / "site.yaml"
    file.write_text(site_template())
    return ssh.Connections(load_site(file).environments["production"], file)


def effective(connections, name):
    """Return what OpenSSH itself makes of the configuration."""
    done = subprocess.run(
        connections.command(name, options=("-G",)),
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def test_the_way_is_bastion_load_balancer_host(connections):
    way = ssh.chain(connections.targets, "production-db")
    assert [target.name for target in way] == [
        "production-bastion",
        "production-lb",
        "production-db",
    ]
    assert str(way[1].address) == str(connections.environment.network.public_address)


def test_openssh_reads_it_as_meant(connections):
    connections.prepare()
    found = effective(connections, "production-worker-1")
    environment = connections.environment
    assert found["hostname"] == "10.30.0.31"
    assert found["proxyjump"].strip("[]") == str(environment.network.public_address)
    assert found["hostkeyalias"] == "production-worker-1"
    assert found["stricthostkeychecking"] == "true"
    assert found["userknownhostsfile"] == str(connections.known_hosts)
    assert found["forwardagent"] == "no"
    entry = effective(connections, "production-lb")
    assert entry["hostkeyalias"] == "production-lb"
    assert entry["proxyjump"].strip("[]") == str(environment.network.bastion.address)


def test_a_second_time_the_file_is_left_as_it_is(connections):
    connections.prepare()
    before = connections.configuration.stat()
    connections.prepare()
    after = connections.configuration.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert after.st_mode & 0o777 == 0o600


def test_the_users_own_configuration_is_honoured_after_ours(connections, tmp_path):
    further = tmp_path / "mine"
    bastion = connections.environment.network.bastion.address
    further.write_text(f"Host {bastion}\n  ProxyCommand relay %h\n  StrictHostKeyChecking no\n")
    text = ssh.render(connections.environment, tmp_path / "k", None, further, tmp_path)
    connections.prepare()
    connections.configuration.write_text(text)
    found = effective(connections, "production-bastion")
    assert found["proxycommand"] == "relay %h"
    assert found["stricthostkeychecking"] == "true"


@pytest.mark.parametrize(
    ("said", "what", "remedy"),
    [
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", "another machine", "--replace"),
        ("Host key verification failed.", "not known", "fhirstack trust -e production"),
        ("u@h: Permission denied (publickey).", "lets nobody in", "access.user"),
        (
            "channel 0: open failed: administratively prohibited",
            "lets nothing through",
            "forwarding",
        ),
        ("ssh: connect to host 1 port 22: Connection timed out", "timed out", "fhirstack ssh"),
    ],
)
def test_what_ssh_says_becomes_an_error_with_a_remedy(connections, said, what, remedy):
    error = ssh.failure(connections, "production-db", said)
    assert what in error.what
    assert remedy in error.remedy
    assert "production-bastion → production-lb → production-db" in error.where


def test_a_key_is_kept_in_place_of_the_old_one(connections):
    connections.prepare()
    target = connections.targets["production-db"]
    for value in (base64.b64encode(b"old").decode(), KEY):
        trust.keep(connections, trust.HostKey(target, f"production-db ssh-ed25519 {value}"))
    assert trust.known(connections) == {"production-db": f"production-db ssh-ed25519 {KEY}"}


def test_a_fingerprint_is_the_one_that_ssh_keygen_shows(tmp_path):
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True
    )
    public = (tmp_path / "key.pub").read_text()
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", tmp_path / "key.pub"], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    assert trust.fingerprint(f"host {public}") == shown


def test_without_a_key_or_a_fingerprint_nobody_is_trusted(connections):
    with pytest.raises(UnreachableError, match="its host key is not known") as raised:
        trust.ensure(connections, ["production-bastion"])
    assert "fhirstack trust -e production" in raised.value.remedy
    assert Path(connections.known_hosts).read_text() == ""


def test_a_fault_that_passes_is_tried_again_and_no_other(connections, monkeypatch):
    monkeypatch.setattr(ssh_said.time, "sleep", lambda seconds: None)
    for said, tries in (("Connection closed by UNKNOWN port 65535", 3), ("No route to host", 1)):
        seen = []

        def act(said=said, seen=seen):
            seen.append(said)
            raise ssh.failure(connections, "production-db", said)

        with pytest.raises(UnreachableError):
            ssh_said.steadily(act)
        assert len(seen) == tries
    answers = iter([ssh.failure(connections, "production-db", "Broken pipe"), None])

    def later():
        if error := next(answers):
            raise error
        return "reached"

    assert ssh_said.steadily(later) == "reached"


def test_a_site_that_cannot_be_written_keeps_its_known_hosts(connections, monkeypatch, cache):
    """What the site's own file says holds; what is met there is kept in the cache."""
    connections.prepare()
    own = connections.known_hosts
    own.write_text("production-lb ssh-ed25519 AAAA\n")
    monkeypatch.setattr(ssh.places.os, "access", lambda path, mode: False)
    connections.prepare()
    assert cache in connections.directory.parents
    assert connections.known_hosts.read_text() == own.read_text()
    assert effective(connections, "production-db")["userknownhostsfile"] == str(
        connections.known_hosts
    )
    target = connections.targets["production-db"]
    trust.keep(connections, trust.HostKey(target, "production-db ssh-ed25519 BBBB"))
    own.write_text("production-lb ssh-ed25519 CCCC\n")
    connections.prepare()
    assert trust.known(connections) == {
        "production-lb": "production-lb ssh-ed25519 CCCC",
        "production-db": "production-db ssh-ed25519 BBBB",
    }


def test_two_environments_with_one_address_share_no_connection(connections, tmp_path):
    other = tmp_path / "other/site.yaml"
    other.parent.mkdir()
    other.write_text(site_template())
    second = ssh.Connections(load_site(other).environments["production"], other)
    third = ssh.Connections(load_site(connections.site).environments["staging"], connections.site)
    paths = set()
    for one, name in ((connections, "production"), (second, "production"), (third, "staging")):
        one.prepare()
        found = effective(one, f"{name}-db")
        paths.add(found["controlpath"].rpartition("-")[0])
    assert len(paths) == 3
