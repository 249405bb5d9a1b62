"""The firewall: proved from every vantage point; and one that would lock us out undoes itself."""

import json

import pytest

from tests.lab.conftest import until

pytestmark = pytest.mark.lab


def proof(lab, code):
    answer = lab("firewall", "prove", "--format", "json")
    assert answer.code == code, answer.text
    return json.loads(answer.out)


def test_what_is_open_is_exactly_the_matrix_in_both_address_families(built, tmp_path):
    page = tmp_path / "firewall.html"
    answer = built.ok("firewall", "prove", "--output", str(page))
    assert "0 are wrong" in answer.out
    found = proof(built, 0)
    assert found["wrong"] == []
    assert found["skipped"] == {}
    # 11 hosts and three outside, on each of them at least the page's ports, in two families.
    assert found["tried"] > 14 * 10 * 2 * 20
    assert "exactly what the matrix allows" in page.read_text()


def test_a_port_opened_by_hand_and_a_rule_removed_by_hand_are_found(built):
    built.shell("db", "nft insert rule inet fhirstack input tcp dport 8123 accept")
    handle = built.shell(
        "nfs",
        "nft -a list chain inet fhirstack incoming | grep 2049 | sed 's/.*handle //' | head -1",
    ).strip()
    built.shell("nfs", f"nft delete rule inet fhirstack incoming handle {handle}")
    found = proof(built, 1)["wrong"]
    opened = {(one["to"], one["port"]) for one in found if not one["allowed"]}
    missing = {(one["to"], one["port"]) for one in found if one["allowed"]}
    assert opened == {("production-db", 8123)}
    assert {to for to, _ in missing} == {"production-nfs"}
    assert 2049 in {port for _, port in missing}
    built.ok("apply", "--yes")
    assert proof(built, 0)["wrong"] == []


def test_a_vantage_point_that_cannot_be_reached_is_skipped_and_not_ok(built, tmp_path):
    def without(environment):
        environment["network"]["vantage_points"] = []

    site = built.edited(tmp_path / "site/site.yaml", without)
    answer = built("firewall", "prove", "--format", "json", site=site)
    assert answer.code == 3, answer.text
    assert set(json.loads(answer.out)["skipped"]) == {"internet", "monitoring"}


@pytest.mark.parametrize("restarts", [False, True], ids=["runs", "restarts meanwhile"])
def test_a_firewall_that_locks_the_controller_out_undoes_itself(built, tmp_path, restarts):
    def elsewhere(environment):
        environment["access"]["confirm_seconds"] = 10
        # The load balancer would admit this bastion alone, and ours is another.
        environment["network"]["bastion"]["address"] = "198.51.100.99"

    site = built.edited(tmp_path / "site/site.yaml", elsewhere)
    config = tmp_path / "site/ssh_config"
    own = (built.site.parent / "ssh_config").read_text()
    # Under the other address the same bastion answers: what comes from it is what it is.
    own = own.replace("Host 198.51.100.7 ", "Host 198.51.100.99 ")
    config.write_text(own.replace("relay.py %h", "relay.py 198.51.100.7"))
    site.write_text(site.read_text().replace(str(built.site.parent / "ssh_config"), str(config)))
    before = rules(built)
    answer = built("apply", "--yes", "--host", "production-lb", site=site)
    assert answer.code == 3, answer.text
    assert "production-lb" in answer.err
    assert "nobody gets in" in answer.err
    if restarts:
        built.tool("kill", "production-lb")
        built.tool("start", "production-lb")
    until(lambda: rules(built) == before, "the load balancer put back its firewall", 60)
    until(
        lambda: built("run", "--host", "production-lb", "--", "true").code == 0,
        "the controller gets in again",
        60,
    )
    until(lambda: built.drift() == {}, "nothing is left of it", 30)
    assert "fhirstack-rollback" not in built.shell("lb", "ls /etc/systemd/system")


def rules(lab):
    """Return the load balancer's firewall, in the kernel and in its file."""
    return lab.shell("lb", "nft -s list table inet fhirstack; sha256sum /etc/nftables.conf")
