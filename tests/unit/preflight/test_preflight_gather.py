"""Gathering, by an ``ssh`` that runs commands on this machine and refuses where it is told to."""

import os
from pathlib import Path

import pytest

from fhirstack.checks.preflight import gather as gathering
from fhirstack.checks.preflight import measure
from fhirstack.errors import UnreachableError
from fhirstack.model.host import Host
from fhirstack.model.load import load_site
from fhirstack.model.site import Environment
from fhirstack.model.template import site_template
from fhirstack.planes.hosts.ssh import Connections

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
SSH = """\
#!/bin/sh
while :; do
  case "$1" in
    -F | -o) shift 2 ;;
    -*) shift ;;
    *) break ;;
  esac
done
name=$1
shift
echo "$name $*" >> "$FAKE/log"
if [ -e "$FAKE/refuse/$name" ]; then cat "$FAKE/refuse/$name" >&2; exit 255; fi
exec sh -c "$*"
"""
SUDO = """\
#!/bin/sh
[ ! -e "$FAKE/no-sudo" ] || { echo "sudo: a password is required" >&2; exit 1; }
shift
exec "$@"
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "refuse").mkdir()
    (tmp_path / "bin").mkdir()
    for name, text in (("ssh", SSH), ("sudo", SUDO)):
        (tmp_path / "bin" / name).write_text(text, encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("FAKE", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    # What the network is asked has tests of its own.
    monkeypatch.setattr(gathering, "request", _request)
    return tmp_path


def _request(_: Environment, __: Host) -> dict[str, object]:
    return {"mode": "facts", "paths": ["/"], "modules": ["overlay"], "ports": [["tcp", 1, 1]]}


@pytest.fixture
def connections(fake: Path) -> Connections:
    path = fake / "site.yaml"
    path.write_text(site_template(), encoding="utf-8")
    found = Connections(load_site(path).environments["production"], path)
    found.prepare()
    found.known_hosts.write_text("".join(f"{name} {KEY}\n" for name in found.targets))
    return found


def _refuse(connections: Connections, name: str, says: str) -> None:
    directory = connections.site.parent / "refuse"
    (directory / str(connections.targets[name].address)).write_text(says, encoding="utf-8")


def _hosts(connections: Connections, *names: str) -> tuple[Host, ...]:
    return tuple(
        host
        for host in connections.environment.hosts
        if host.name in {f"production-{n}" for n in names}
    )


def test_facts_clocks_and_the_link(connections: Connections) -> None:
    seen = gathering.gather(connections, _hosts(connections, "lb", "worker-1"))
    assert seen.unreached == {}
    entry, worker = seen.facts["production-lb"], seen.facts["production-worker-1"]
    assert entry.root is (os.geteuid() == 0)
    assert entry.machine_id == worker.machine_id
    assert entry.memory == worker.memory
    assert worker.clock
    assert abs(worker.clock.offset) <= worker.clock.within
    assert entry.link
    assert entry.link.upstream > 1
    assert entry.link.downstream > 1
    assert worker.link is None


def test_where_sudo_wants_a_password_much_is_seen_all_the_same(
    connections: Connections, fake: Path
) -> None:
    (fake / "no-sudo").touch()
    seen = gathering.gather(connections, _hosts(connections, "worker-1"))
    found = seen.facts["production-worker-1"]
    assert "for a password" in (found.sudo or "")
    assert found.memory


def test_one_host_that_is_not_reached_is_told_and_the_others_are_seen(
    connections: Connections,
) -> None:
    _refuse(connections, "production-worker-1", "Permission denied (publickey).\n")
    lines = connections.known_hosts.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("production-db ")]
    connections.known_hosts.write_text("".join(f"{line}\n" for line in kept))
    seen = gathering.gather(connections, _hosts(connections, "worker-1", "worker-2", "db"))
    assert list(seen.facts) == ["production-worker-2"]
    assert seen.unreached["production-worker-1"].stage == "ssh"
    assert "SSH lets nobody in" in seen.unreached["production-worker-1"].reason
    assert seen.unreached["production-db"].stage == "key"
    assert "fhirstack trust" in seen.unreached["production-db"].remedy


def test_a_load_balancer_that_is_not_reached_is_the_reason_for_all(
    connections: Connections,
) -> None:
    _refuse(connections, "production-lb", "ssh: connect to host x: Connection timed out\n")
    seen = gathering.gather(connections, _hosts(connections, "lb", "worker-1"))
    assert seen.facts == {}
    assert {one.reason for one in seen.unreached.values()} == {
        "ssh: connect to host x: Connection timed out (by production-bastion → production-lb)",
        "production-lb (by production-bastion → production-lb):"
        " ssh: connect to host x: Connection timed out",
    }


def test_a_host_without_python(connections: Connections, fake: Path) -> None:
    (fake / "bin/python3").write_text("#!/bin/sh\necho 'sh: python3: not found' >&2\nexit 127\n")
    (fake / "bin/python3").chmod(0o755)
    seen = gathering.gather(connections, _hosts(connections, "worker-1"))
    missing = seen.unreached["production-worker-1"]
    assert (missing.stage, missing.reason) == ("agent", "python3 is not installed")


def test_what_cannot_be_measured_is_an_error(connections: Connections) -> None:
    _refuse(connections, "production-lb", "no\n")
    for look in (measure.clock, measure.link):
        with pytest.raises(UnreachableError, match="production-lb"):
            look(connections, "production-lb")


def test_the_directory_of_certificates(connections: Connections, fake: Path) -> None:
    text = site_template().replace(
        "issuer: letsencrypt #", "issuer: provided\n    directory: certs #", 1
    )
    connections.site.write_text(text, encoding="utf-8")
    found = Connections(load_site(connections.site).environments["production"], connections.site)
    seen = gathering.gather(found, ()).certificates
    assert seen is not None
    assert seen.place == str(fake / "certs")
    assert {one.problem for one in seen.names} == {"no certificate for it is there"}
    (fake / "certs").write_text("")
    seen = gathering.gather(found, ()).certificates
    assert seen is not None
    assert "Not a directory" in seen.problems[0]
