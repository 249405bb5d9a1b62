"""The template of a site: valid, complete, and of the page's numbers."""

import re

from fhirstack.model.host import Role
from fhirstack.model.load import parse_site
from fhirstack.model.template import site_template
from fhirstack.page.checks import run_checks
from fhirstack.page.results import Verdict, exit_code
from fhirstack.page.sizes import machines

SITE = parse_site(site_template(), "site.yaml")


def test_it_has_the_pages_machines_in_three_environments() -> None:
    assert list(SITE.environments) == ["staging", "preview", "production"]
    for environment in SITE.environments.values():
        assert len(environment.hosts) == 11
        for row in machines():
            hosts = environment.hosts_of(row.role)
            assert len(hosts) == row.count
            assert {(host.cpu, host.memory, host.disk) for host in hosts} == {
                (row.cpu, row.memory, row.disk)
            }
        assert environment.hosts_of(Role.NFS)[0].external_storage == 5 * 10**12


def test_check_warns_of_the_examples_alone() -> None:
    results = run_checks(SITE)
    assert exit_code(results) == 0
    assert exit_code(results, strict=True) == 1
    assert [
        (item.environment, item.requirement.id)
        for item in results
        if item.verdict not in {Verdict.OK, Verdict.SKIPPED}
    ] == [(name, "network.example-values") for name in SITE.environments]


def test_every_example_is_marked() -> None:
    examples = re.compile(r"example\.(org|net)|203\.0\.113\.|198\.51\.100\.|192\.0\.2\.")
    unmarked = [
        line
        for line in site_template().splitlines()
        if examples.search(line.split("#")[0]) and "# CHANGE" not in line
    ]
    assert unmarked == []


def test_its_lines_fit_an_editor() -> None:
    assert max(len(line) for line in site_template().splitlines()) <= 120
