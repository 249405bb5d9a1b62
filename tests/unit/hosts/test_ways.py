"""The ways in that ministries have: other ports, several bastions, one by name, a VPN."""

from pathlib import Path

import pytest
from tests.unit.hosts.desired_site import changed, environment, host, resources, text

from fhirstack.model.host import Role
from fhirstack.model.site import Environment
from fhirstack.page.matrix import matrix
from fhirstack.planes.hosts import ssh
from fhirstack.planes.hosts.prove import tries, vantages

BASTION = {"address": "198.51.100.7", "user": "ubuntu"}


def _with(bastion: object = None, port: int = 22, own: int | None = None, **network: object):
    values = environment().model_dump()
    values["network"] |= {"bastion": bastion, **network}
    values["access"]["port"] = port
    if own:
        values["hosts"][0]["ssh_port"] = own
    return Environment.model_validate(values)


def _blocks(where: Environment) -> dict[str, dict[str, str]]:
    found = {}
    for block in ssh.render(where, Path("k"), None, None, Path("/s")).split("\nHost ")[1:]:
        first, *lines = block.splitlines()
        found[first.split()[0]] = {
            key: value for key, _, value in (line.strip().partition(" ") for line in lines)
        }
    return found


MOVED = _with({**BASTION, "port": 2200}, port=2222)
LB = host(Role.LOAD_BALANCER, MOVED)


def test_every_port_is_the_sites():
    blocks = _blocks(MOVED)
    assert blocks["staging-bastion"]["Port"] == "2200"
    assert {blocks[one.name]["Port"] for one in MOVED.hosts} == {"2222"}
    for role in Role:
        rules = text(resources(role, MOVED), "/etc/ssh/sshd_config").splitlines()
        assert rules[0] == "Port 2222"
    entry = text(resources(Role.LOAD_BALANCER, MOVED), "/etc/ssh/sshd_config")
    (line,) = [one for one in entry.splitlines() if one.startswith("PermitOpen")]
    assert ":22 " not in f"{line} "
    assert "staging-worker-1:2222" in line


def test_the_firewall_lets_it_in_on_the_sites_port_alone():
    rules = matrix(MOVED)
    worker = host(Role.WORKER, MOVED).address
    for port, is_open in ((2222, True), (22, False)):
        assert bool(rules.allowed(LB.address, worker, "tcp", port)) is is_open
        bastion = MOVED.network.bastion.address
        assert bool(rules.allowed(bastion, LB.address, "tcp", port)) is is_open


def test_the_proof_tries_the_port_and_the_usual_one():
    (bastion,) = [one for one in vantages(MOVED) if one.name == "staging-bastion"]
    tried = {one.port: one.allowed for one in tries(MOVED, bastion, {}) if one.host == LB.name}
    assert tried[2222] is True
    assert tried[22] is False


def test_one_host_may_have_a_port_of_its_own():
    where = _with(BASTION, own=2022)
    first, second = where.hosts[:2]
    blocks = _blocks(where)
    assert (blocks[first.name]["Port"], blocks[second.name]["Port"]) == ("2022", "22")


def test_the_bastion_by_name_through_two_others():
    where = _with(
        {
            **BASTION,
            "reach": "bastion.example.org",
            "through": [
                {"address": "jump.example.org", "user": "ann", "port": 2200},
                {"address": "192.0.2.9", "user": "ops"},
            ],
        }
    )
    way = [target.name for target in ssh.chain(ssh.targets(where), "staging-db")]
    assert way == [
        "staging-jump-1",
        "staging-jump-2",
        "staging-bastion",
        "staging-lb",
        "staging-db",
    ]
    assert ssh.entrance(where) == tuple(way[:-1])
    blocks = _blocks(where)
    assert "ProxyJump" not in blocks["staging-jump-1"]
    assert blocks["staging-jump-1"]["HostName"] == "jump.example.org"
    assert blocks["staging-jump-2"]["ProxyJump"] == "jump.example.org"
    assert blocks["staging-bastion"]["ProxyJump"] == "192.0.2.9"
    assert blocks["staging-bastion"]["HostName"] == "bastion.example.org"
    assert blocks["staging-lb"]["ProxyJump"] == "bastion.example.org"
    # The firewall knows it by the address that the load balancer sees.
    entry = host(Role.LOAD_BALANCER, where).address
    assert matrix(where).allowed(where.network.bastion.address, entry, "tcp", 22)


VPN = _with(None, administrators=["10.8.0.0/24"])


@pytest.mark.parametrize("role", list(Role))
def test_without_a_bastion_every_host_is_reached_by_its_own_address(role):
    one = host(role, VPN)
    block = _blocks(VPN)[one.name]
    assert "ProxyJump" not in block
    assert block["HostName"] == str(one.address)
    administrator = VPN.network.administrators[0][7]
    assert matrix(VPN).allowed(administrator, one.address, "tcp", 22)
    assert not matrix(VPN).allowed(
        VPN.network.administrators[0].broadcast_address + 1, one.address, "tcp", 22
    )
    assert not matrix(VPN).allowed(administrator, one.address, "tcp", 5432)
    assert ssh.entrance(VPN) == ()


def test_without_a_bastion_none_is_a_vantage_point_and_penalties_leave_administrators_out():
    assert "staging-bastion" not in {one.name for one in vantages(VPN)}
    values = VPN.model_dump()
    values["hosts"] = [
        {**one, "os": {"name": "debian", "version": "13"}} for one in values["hosts"]
    ]
    newer = Environment.model_validate(values)
    found = text(resources(Role.WORKER, newer), "/etc/ssh/sshd_config")
    assert "PerSourcePenaltyExemptList 10.8.0.0/24" in found


def test_with_a_bastion_nobody_comes_directly():
    worker = host(Role.WORKER).address
    assert not matrix(environment()).allowed(VPN.network.administrators[0][7], worker, "tcp", 22)
    assert changed() == environment()
