"""The page as data, held against the page's text."""

from pathlib import Path

import pytest
import yaml

from fhirstack.model.host import Role
from fhirstack.model.load import parse_site
from fhirstack.model.template import site_template
from fhirstack.page.checks import checks
from fhirstack.page.flows import endpoints
from fhirstack.page.requirements import Requirement, requirement, requirements
from fhirstack.page.sizes import link, machine, totals

CASES = Path(__file__).parents[2] / "cases" / "page"
LINES = [
    " ".join(line.split()).removeprefix("- ")
    for line in (CASES / "infrastructure-setup.txt").read_text(encoding="utf-8").splitlines()
]
PAGE = " ".join(LINES)
SENTENCES = [" ".join(item.sentence.split()) for item in requirements() if item.sentence]


@pytest.mark.parametrize("entry", requirements(), ids=lambda entry: entry.id)
def test_each_sentence_is_the_pages_word_for_word(entry: Requirement) -> None:
    if entry.sentence:
        assert " ".join(entry.sentence.split()) in PAGE
    else:
        assert entry.addition


def test_every_word_of_the_page_is_a_requirement_or_asks_for_nothing() -> None:
    unchecked = yaml.safe_load((CASES / "unchecked.yaml").read_text(encoding="utf-8"))
    left = PAGE
    for known in sorted({*SENTENCES, *unchecked}, key=len, reverse=True):
        assert known in PAGE
        left = left.replace(known, "")
    assert left.split() == []


def test_ids_are_unique_and_found() -> None:
    ids = [entry.id for entry in requirements()]
    assert len(ids) == len(set(ids))
    assert requirement("host.worker.memory").sentence == "32 GB RAM"
    with pytest.raises(KeyError):
        requirement("host.worker.colour")


def test_each_offline_requirement_has_a_check_and_no_other_has() -> None:
    assert set(checks()) == {entry.id for entry in requirements() if entry.offline}


def test_gaps_and_contradictions_of_the_page_are_additions() -> None:
    known = {
        "LB to worker": "firewall.ingress",
        "6443": "firewall.cluster-api",
        "DB to NFS": "firewall.backups",
        "analytics SSH": "firewall.analytics.ssh",
        "analytics in the cluster": "firewall.analytics.cluster",
        "analytics to the database": "firewall.analytics.database",
        "monitoring push": "firewall.monitoring",
        "DNS": "firewall.dns",
        "NTP": "firewall.time",
        "ACME": "firewall.acme",
        "SMTP": "firewall.mail",
        "off-site target": "firewall.off-site",
        "from port 22": "firewall.ssh-direction",
        "NFSv4 and 111": "firewall.nfs-version",
        "both directions": "firewall.stateful",
        "service accounts": "client.service-account-scope",
        "a pipelines client that works": "client.pipelines.gateway",
        "Airbyte and DBT in two places": "services.placement",
        "connections": "database.connections",
        "one database server": "database.single",
        "one load balancer": "load-balancer.single",
        "NFS shares fate": "backup.off-site-production",
        "NFS for volumes": "backup.nfs-only-backups",
        "isolation": "environments.isolation",
        "certificates in the cluster": "tls.one-place",
    }
    entries = {gap: requirement(identifier) for gap, identifier in known.items()}
    assert [gap for gap, entry in entries.items() if not entry.addition or not entry.reason] == []


def test_flows_stand_between_roles_and_zones_that_exist() -> None:
    environment = parse_site(site_template(), "s").environments["staging"]
    for entry in requirements():
        for flow in entry.flows:
            for zone in (flow.source, flow.destination):
                endpoints(environment, zone)
    with pytest.raises(ValueError, match="no zone moon"):
        endpoints(environment, "moon")


def test_numbers_are_read_from_the_pages_sentences() -> None:
    sums = totals()
    assert (sums.machines, sums.cpu) == (11, 60)
    assert (sums.memory, sums.disk) == (180 * 10**9, 6_100 * 10**9)
    assert sums.external_storage == 5 * 10**12
    assert (link().upstream, link().downstream) == (20, 20)
    nfs = machine(Role.NFS)
    assert (nfs.count, nfs.cpu, nfs.memory, nfs.disk) == (1, 4, 8 * 10**9, 10**12)
