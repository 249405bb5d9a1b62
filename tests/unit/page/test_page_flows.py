"""The firewall matrix, held against connections read from the page by hand."""

from ipaddress import ip_address
from pathlib import Path

import pytest
import yaml

from fhirstack.model.base import IpAddress
from fhirstack.model.host import Role
from fhirstack.model.load import parse_site
from fhirstack.model.site import Backups, Environment
from fhirstack.model.template import site_template
from fhirstack.page.flows import flows, off_site_host, port_range, show
from fhirstack.page.matrix import matrix
from fhirstack.page.requirements import requirement

CASES = Path(__file__).parents[2] / "cases" / "page"
SITE = parse_site(site_template(), "site.yaml")
STAGING = SITE.environments["staging"]


def _address(name: str) -> IpAddress:
    outside = {
        "internet": ip_address("192.88.99.1"),
        "bastion": STAGING.network.bastion.address,
        "monitoring": STAGING.monitoring.addresses[0],
    }
    hosts = {host.name: host for item in SITE.environments.values() for host in item.hosts}
    return outside.get(name) or hosts[name].address


@pytest.mark.parametrize(
    ("source", "destination", "protocol", "port", "open_"),
    yaml.safe_load((CASES / "flows.yaml").read_text(encoding="utf-8")),
)
def test_connections(
    source: str, destination: str, protocol: str, port: int | None, open_: bool
) -> None:
    found = matrix(STAGING).allowed(_address(source), _address(destination), protocol, port)
    assert (found is not None) is open_


def test_the_matrix_says_nothing_of_strangers() -> None:
    with pytest.raises(ValueError, match="neither"):
        matrix(STAGING).allowed(_address("internet"), _address("bastion"), "tcp", 443)


def test_a_flow_that_two_sentences_ask_for_stands_once() -> None:
    found = [
        flow
        for flow in flows(STAGING)
        if (flow.source.name, flow.destination.name) == ("staging-lb", "staging-db")
        and flow.ports == ("22",)
    ]
    assert [flow.requirements for flow in found] == [
        ("firewall.load-balancer.ssh", "firewall.database.ssh")
    ]
    assert not found[0].addition


def test_additions_are_marked() -> None:
    for flow in flows(STAGING):
        additions = [requirement(identifier).addition for identifier in flow.requirements]
        assert flow.addition is all(additions)


def test_flows_of_a_host() -> None:
    rules = matrix(STAGING)
    ports = {flow.ports for flow in rules.incoming("staging-db") if flow.protocol == "tcp"}
    assert ports == {("22",), ("5432", "6379")}
    assert {flow.destination.role for flow in rules.outgoing("staging-db")} == {None, *Role} - {
        Role.DATABASE
    }


def test_no_host_talks_to_itself() -> None:
    assert all(flow.source.name != flow.destination.name for flow in flows(STAGING))


def test_zones_narrow_where_the_site_names_servers() -> None:
    network = STAGING.network.model_copy(update={"resolvers": (ip_address("10.0.0.2"),)})
    environment = STAGING.model_copy(update={"network": network})
    database = _address("staging-db")
    rules = matrix(environment)
    assert rules.allowed(database, ip_address("10.0.0.2"), "udp", 53)
    assert not rules.allowed(database, ip_address("10.0.0.3"), "udp", 53)


def _off_site(path: str) -> Environment:
    backups = Backups(path="/srv/backups/staging", offsite=path)
    return STAGING.model_copy(update={"backups": backups})


@pytest.mark.parametrize(
    ("path", "host", "zone"),
    [
        ("s3://bucket/prefix", None, "off-site-https"),
        ("https://store.example.net:8443/x", "store.example.net", "off-site-https"),
        ("sftp://backup@198.51.100.9:2222/x", "198.51.100.9", "off-site-ssh"),
        ("backup@vault.example.net:/srv", "vault.example.net", "off-site-ssh"),
        ("sftp://[2001:db8::9]/x", "2001:db8::9", "off-site-ssh"),
    ],
)
def test_off_site_stores(path: str, host: str | None, zone: str) -> None:
    environment = _off_site(path)
    assert off_site_host(environment) == host
    zones = {flow.destination.name for flow in flows(environment)}
    assert {name for name in zones if name.startswith("off-site")} == {zone}


def test_ssh_to_a_store_opens_no_ssh_between_hosts() -> None:
    rules = matrix(_off_site("backup@vault.example.net:/srv"))
    assert rules.allowed(_address("staging-db"), _address("internet"), "tcp", 22)
    assert not rules.allowed(_address("staging-db"), _address("staging-lb"), "tcp", 22)


def test_ports_are_written_for_people() -> None:
    texts = {show(flow) for flow in flows(STAGING)}
    assert {"all protocols and ports", "tcp 5432, 6379", "icmp", "tcp 30000-32767"} <= texts
    assert port_range("30000-32767") == (30000, 32767)
    assert port_range("443") == (443, 443)
