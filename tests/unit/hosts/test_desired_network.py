"""What a ministry's network asks of hosts: a proxy, resolvers, other ranges of the cluster."""

from ipaddress import ip_address

import pytest
from tests.unit.hosts.desired_site import changed, environment, host, resources, text

from fhirstack.model.host import Role
from fhirstack.model.load import parse_site
from fhirstack.model.site import Environment
from fhirstack.model.template import site_template
from fhirstack.page.checks.network import cluster_network
from fhirstack.page.matrix import matrix
from fhirstack.page.results import Verdict
from fhirstack.planes.hosts.desired import firewall
from fhirstack.planes.hosts.desired.proxy import APT, variables

SITE = parse_site(site_template(), "site.yaml")
PROXY = ip_address("10.0.0.8")
STRANGER = ip_address("93.184.216.34")


def _network(**values: object) -> Environment:
    return changed(network=environment().network.model_dump() | values)


PROXIED = _network(proxy={"address": "10.0.0.8", "port": 3128})


@pytest.mark.parametrize("role", list(Role))
def test_with_a_proxy_hosts_reach_it_and_nothing_else_of_the_internet(role):
    rules = matrix(PROXIED)
    own = host(role, PROXIED).address
    assert rules.allowed(own, PROXY, "tcp", 3128)
    for port in (80, 443, 3128):
        assert not rules.allowed(own, STRANGER, "tcp", port), port
    assert not rules.allowed(own, PROXY, "tcp", 80)
    text_ = firewall.render(PROXIED, host(role, PROXIED))
    assert "ip daddr @proxy4 tcp dport 3128 accept" in text_
    # Without one all is as it was.
    assert matrix(environment()).allowed(host(role).address, STRANGER, "tcp", 443)
    assert "proxy" not in firewall.render(environment(), host(role))


def test_strangers_still_reach_the_load_balancer_on_80_and_443():
    entry = host(Role.LOAD_BALANCER, PROXIED).address
    assert matrix(PROXIED).allowed(STRANGER, entry, "tcp", 443)
    assert not matrix(PROXIED).allowed(STRANGER, entry, "tcp", 3128)


def test_apt_containerd_and_lego_are_told():
    worker, entry = resources(Role.WORKER, PROXIED), resources(Role.LOAD_BALANCER, PROXIED)
    for found in (worker, entry):
        assert 'Acquire::https::Proxy "http://10.0.0.8:3128";' in text(found, APT)
        assert found[f"file:{APT}"].early
    unit = "/etc/systemd/system/containerd.service.d/60-fhirstack-proxy.conf"
    assert text(worker, unit).startswith("[Service]\nEnvironment=HTTP_PROXY=http://10.0.0.8:3128\n")
    assert f"file:{unit}" in worker["service:containerd"].watch
    assert "HTTPS_PROXY=http://10.0.0.8:3128" in text(
        entry, "/etc/systemd/system/fhirstack-acme.service"
    )


def test_without_a_proxy_our_settings_go():
    found = resources(Role.WORKER)
    for path in (APT, "/etc/systemd/system/containerd.service.d/60-fhirstack-proxy.conf"):
        assert found[f"file:{path}"].content is None


def test_what_is_inside_does_not_go_by_the_proxy():
    direct = variables(PROXIED)["NO_PROXY"].split(",")
    assert {"127.0.0.1", str(PROXIED.network.cluster_network), ".staging.internal"} <= {*direct}
    assert {"10.244.0.0/16", "10.96.0.0/12"} <= {*direct}


def test_a_proxy_of_ipv6_has_brackets():
    found = _network(proxy={"address": "fd00::8", "port": 3128})
    assert variables(found)["HTTP_PROXY"] == "http://[fd00::8]:3128"


def test_the_sites_resolvers_are_asked_and_without_any_the_hosts_own():
    assert resources(Role.WORKER)["resolvers"].servers == ("10.0.0.2", "fd00:53::2")
    assert "resolvers" not in resources(Role.WORKER, _network(resolvers=[]))


def test_the_clusters_ranges_are_the_sites():
    found = _network(pod_network="172.20.0.0/16", service_network="172.21.0.0/16")
    rules = firewall.render(found, host(Role.WORKER, found))
    assert "elements = { 172.20.0.0/16, 172.21.0.0/16 }" in rules
    assert "10.244" not in rules


def _site(hosts: dict[str, dict[str, object]], **network: object) -> Environment:
    values = environment().model_dump()
    values["network"] |= network
    values["hosts"] = [{**one, **hosts.get(one["name"], {})} for one in values["hosts"]]
    return Environment.model_validate(values)


SECOND = _site(
    {
        "staging-lb": {"further_addresses": ["10.20.0.10"]},
        "staging-db": {"address": "10.20.0.51", "address6": None},
    },
    further_networks=["10.20.0.0/24"],
)


def test_hosts_in_another_network_know_the_load_balancer_by_its_second_address():
    rules = matrix(SECOND)
    second, database = ip_address("10.20.0.10"), host(Role.DATABASE, SECOND)
    assert rules.allowed(second, database.address, "tcp", 22)
    assert rules.allowed(host(Role.WORKER, SECOND).address, database.address, "tcp", 5432)
    assert not rules.allowed(second, database.address, "tcp", 5432)
    found = resources(Role.DATABASE, SECOND)
    assert "10.20.0.10 staging-lb.staging.internal staging-lb" in found["block:/etc/hosts"].content
    assert "10.20.0.10" in found["nftables:fhirstack"].ruleset
    assert cluster_network(SITE, SECOND).verdict is Verdict.OK
    assert "10.20.0.0/24" in variables(_proxied(SECOND))["NO_PROXY"]


def test_an_address_in_no_network_of_the_site_is_told():
    found = _site({"staging-db": {"further_addresses": ["10.21.0.51"]}})
    finding = cluster_network(SITE, found)
    assert finding.verdict is Verdict.FAILED
    assert "staging-db (10.21.0.51) lies outside of" in finding.evidence


def _proxied(where: Environment) -> Environment:
    values = where.model_dump()
    values["network"]["proxy"] = {"address": "10.0.0.8", "port": 3128}
    return Environment.model_validate(values)


@pytest.mark.parametrize(
    ("key", "port", "role"),
    [("time_servers", 123, Role.DATABASE), ("mail_servers", 587, Role.WORKER)],
)
def test_a_server_by_name_may_be_anywhere_and_one_by_address_nowhere_else(key, port, role):
    protocol = "udp" if port == 123 else "tcp"
    for servers, is_open in ((["10.0.0.3"], False), (["10.0.0.3", "server.example.org"], True)):
        where = _network(**{key: servers})
        own = host(role, where).address
        assert bool(matrix(where).allowed(own, STRANGER, protocol, port)) is is_open
        assert matrix(where).allowed(own, ip_address("10.0.0.3"), protocol, port)


def test_chrony_asks_a_server_by_its_name():
    where = _network(time_servers=["ntp.example.org"])
    found = text(resources(Role.NFS, where), "/etc/chrony/chrony.conf")
    assert found.startswith("server ntp.example.org iburst\n")
