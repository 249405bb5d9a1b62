"""The hosts' firewall: rules as data against the matrix, and their text against nft."""

import itertools
import os
import shutil
import subprocess
from ipaddress import ip_address

import pytest
from tests.unit.hosts.desired_site import environment, resources

from fhirstack.model.host import Role
from fhirstack.page.flows import port_range
from fhirstack.page.matrix import matrix
from fhirstack.planes.hosts.desired.firewall import TABLE, Rule, comment, render, rules

SITE = environment()
RULES = {host.name: rules(SITE, host) for host in SITE.hosts}
OUTSIDE = (
    *map(ip_address, ("192.88.99.1", "2001:db8:ffff::1", "10.30.0.31")),
    *SITE.network.bastion.addresses,
    *SITE.monitoring.addresses,
    *SITE.network.resolvers,
    *SITE.network.time_servers,
)
PORTS = sorted(
    {
        port
        for flow in matrix(SITE).flows
        for ports in flow.ports
        for edge in port_range(ports)
        for port in (edge - 1, edge, edge + 1)
    }
    | {1, 2379, 9100, 65535}
)
NFT = shutil.which("nft", path=f"{os.environ['PATH']}:/usr/sbin")


def _passes(name, direction, peer, protocol, port):
    return any(rule.admits(direction, peer, protocol, port) for rule in RULES[name])


@pytest.mark.parametrize("sender", SITE.hosts, ids=lambda host: host.name)
def test_between_hosts_the_rules_admit_what_the_matrix_says(sender):
    known = matrix(SITE)
    others = (other for other in SITE.hosts if other is not sender)
    for receiver, protocol, port in itertools.product(others, ("tcp", "udp"), PORTS):
        for source, destination in zip(sender.addresses, receiver.addresses, strict=True):
            admitted = _passes(sender.name, "out", destination, protocol, port) and _passes(
                receiver.name, "in", source, protocol, port
            )
            said = known.allowed(source, destination, protocol, port) is not None
            assert admitted is said, (receiver.name, str(destination), protocol, port)


@pytest.mark.parametrize("host", SITE.hosts, ids=lambda host: host.name)
def test_with_the_outside_the_rules_admit_what_the_matrix_says(host):
    known = matrix(SITE)
    for peer, protocol, port in itertools.product(OUTSIDE, ("tcp", "udp"), PORTS):
        own = next(address for address in host.addresses if address.version == peer.version)
        for direction, pair in (("in", (peer, own)), ("out", (own, peer))):
            said = known.allowed(*pair, protocol, port) is not None
            assert _passes(host.name, direction, peer, protocol, port) is said, (peer, port)


def test_a_public_address_is_the_load_balancers():
    known = matrix(SITE)
    for address, stranger in zip(SITE.network.public_addresses, OUTSIDE[:2], strict=True):
        assert known.allowed(stranger, address, "tcp", 443)
        assert not known.allowed(stranger, address, "tcp", 22)


def test_peers_with_the_same_ports_are_one_rule():
    found = [rule for rule in RULES["staging-db"] if rule.ports == ("5432", "6379")]
    assert [(rule.direction, rule.peers) for rule in found] == [("in", "analytics_primary_worker")]
    assert len(found[0].networks) == 16
    assert len(RULES["staging-worker-1"]) < 25


def test_comments_fit_and_name_requirements():
    for rule in itertools.chain(*RULES.values()):
        assert rule.requirements
    long = Rule("in", "", (), "tcp", ("1",), tuple(f"firewall.requirement-{n}" for n in range(20)))
    assert len(comment(long)) < 128
    assert comment(long).endswith("+15")


@pytest.mark.parametrize("host", SITE.hosts, ids=lambda host: host.name)
def test_the_same_site_gives_the_same_text(host):
    again = type(SITE).model_validate(SITE.model_dump())
    twin = next(item for item in again.hosts if item.name == host.name)
    assert render(again, twin) == render(SITE, host)


@pytest.mark.parametrize("role", list(Role))
def test_everything_else_is_dropped(role):
    text = resources(role)[f"nftables:{TABLE}"].ruleset
    assert text.count("policy drop;") == 3
    assert text.startswith(f"table inet {TABLE} {{\n")
    assert "flush" not in text
    assert ("@pods4" in text) is (role in {Role.PRIMARY, Role.WORKER, Role.ANALYTICS})


@pytest.mark.skipif(NFT is None, reason="nft is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root")
@pytest.mark.parametrize("host", SITE.hosts, ids=lambda host: host.name)
def test_nft_loads_them(host):
    script = f"{NFT} -f - && {NFT} --stateless list table inet {TABLE}"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script],
        input=render(SITE, host),
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr:
        pytest.skip(f"no namespace here: {done.stderr.strip()}")
    assert (done.returncode, done.stderr) == (0, "")
    # What nft lists it loads again, and lists the same.
    again = subprocess.run(
        ["unshare", "--net", "sh", "-c", script],
        input=done.stdout,
        capture_output=True,
        text=True,
        check=True,
    )
    assert again.stdout == done.stdout
