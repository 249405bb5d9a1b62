"""What a ministry's network asks of hosts: a proxy, resolvers, other ranges of the cluster."""

from ipaddress import ip_address

import pytest
from tests.unit.hosts.desired_site import changed, environment, host, resources, text

from fhirstack.model.host import Role
from fhirstack.model.site import Environment
from fhirstack.page.matrix import matrix
from fhirstack.planes.hosts.desired import firewall
from fhirstack.planes.hosts.desired.proxy import APT, variables

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
