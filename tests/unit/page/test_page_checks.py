"""Verdicts: what changes in the findings where the template is changed."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fhirstack.errors import ExitCode, UsageError
from fhirstack.model.load import parse_site
from fhirstack.model.site import Environment, Site
from fhirstack.model.template import site_template
from fhirstack.page.checks import run_checks
from fhirstack.page.checks.network import cluster_ranges
from fhirstack.page.database import Budget, budget
from fhirstack.page.requirements import How, Severity, requirements
from fhirstack.page.results import CheckResult, Verdict, exit_code

CASES = Path(__file__).parents[2] / "cases" / "page"
TEMPLATE = site_template()
SITE = parse_site(TEMPLATE, "site.yaml")

Key = tuple[str | None, str]


def _verdicts(results: tuple[CheckResult, ...]) -> dict[Key, tuple[str, str]]:
    return {
        (item.environment, item.requirement.id): (item.verdict.value, item.evidence)
        for item in results
    }


BASE = _verdicts(run_checks(SITE))


def _edited(edits: list[dict[str, str]]) -> Site:
    text = TEMPLATE
    for edit in edits:
        if "remove" in edit:
            site = parse_site(text, "site.yaml")
            left = {k: v for k, v in site.environments.items() if k != edit["remove"]}
            return site.model_copy(update={"environments": left})
        assert text.count(edit["old"]) == 1, edit["old"]
        text = text.replace(edit["old"], edit["new"])
    return parse_site(text, "site.yaml")


@pytest.mark.parametrize(
    "case",
    yaml.safe_load((CASES / "verdicts.yaml").read_text(encoding="utf-8")),
    ids=lambda case: case["name"],
)
def test_verdicts(case: dict[str, Any]) -> None:
    results = run_checks(_edited(case["edits"]))
    changed = {
        key: found
        for key, found in _verdicts(results).items()
        if found[0] != BASE.get(key, ("",))[0]
    }
    assert changed == {
        (item["environment"], item["requirement"]): (item["verdict"], item["evidence"])
        for item in case["results"]
    }
    wanted = {item["verdict"] for item in case["results"]}
    failing = ExitCode.DIFFERENCES if "failed" in wanted else ExitCode.OK
    assert exit_code(results) is failing


def _changed(environment: str, **update: Any) -> Site:
    found = SITE.environments[environment].model_copy(update=update)
    return SITE.model_copy(update={"environments": {**SITE.environments, environment: found}})


def _found(site: Site, environment: str, identifier: str) -> tuple[Verdict, str]:
    return next(
        (item.verdict, item.evidence)
        for item in run_checks(site)
        if (item.environment, item.requirement.id) == (environment, identifier)
    )


def _with_client(environment: Environment, client: str, **flags: Any) -> dict[str, Any]:
    clients = environment.realm.clients
    changed = getattr(clients, client).model_copy(update=flags)
    realm = environment.realm.model_copy(
        update={"clients": clients.model_copy(update={client: changed})}
    )
    return {"realm": realm}


def test_what_the_loader_refuses_the_checks_refuse_too() -> None:
    """A site may also be built in code: the checks do not rely on the loader."""
    staging, production = SITE.environments["staging"], SITE.environments["production"]
    cases = [
        ("client.web.no-implicit-flow", _with_client(production, "web", implicit_flow=True)),
        ("client.separate", _with_client(production, "web", id="opensrp-android")),
        ("environments.own-hosts", {"hosts": staging.hosts}),
        ("environments.isolation", {"hosts": staging.hosts}),
        ("environments.own-names", {"domain": staging.domain}),
        ("environments.own-secrets", {"name": "staging"}),
        ("environments.own-backups", {"backups": staging.backups}),
        ("dns.distinct", {"names": {"web": "fhir.opensrp.example.org"}}),
        ("host.database.count", {"hosts": production.hosts[:-1]}),
        ("services.placement", {"hosts": production.hosts[1:]}),
        ("firewall.ingress", {"hosts": production.hosts[:5]}),
    ]
    for identifier, update in cases:
        site = _changed("production", **update)
        name = site.environments["production"].name
        verdicts = {
            item.verdict
            for item in run_checks(site)
            if (item.environment, item.requirement.id) == (name, identifier)
        }
        assert Verdict.FAILED in verdicts, identifier


def test_a_partner_without_a_firewall_of_its_own() -> None:
    network = SITE.environments["staging"].network.model_copy(update={"port_restrictions": False})
    found = _found(_changed("staging", network=network), "staging", "firewall.restrictions")
    assert found == (Verdict.OK, "declared: none; the hosts' own firewall keeps to the matrix")


def test_what_only_hosts_or_a_platform_can_show_is_never_ok() -> None:
    for item in run_checks(SITE):
        if not item.requirement.offline:
            assert item.verdict is Verdict.SKIPPED
            assert item.evidence.startswith("needs the ")
            named = "`preflight`" if How.HOST in item.requirement.how else "`verify`"
            assert named in item.evidence


def test_each_requirement_is_judged_where_it_holds() -> None:
    found = [(item.environment, item.requirement.id) for item in run_checks(SITE)]
    wanted: list[Key] = [(None, entry.id) for entry in requirements() if entry.scope == "site"]
    for name, environment in SITE.environments.items():
        wanted += [
            (name, entry.id)
            for entry in requirements()
            if entry.scope == "environment" and environment.kind in entry.kinds
        ]
    assert found == wanted


def test_one_environment() -> None:
    results = run_checks(SITE, ["preview"])
    assert {item.environment for item in results} == {None, "preview"}
    with pytest.raises(UsageError, match="no environment prodution"):
        run_checks(SITE, ["prodution"])


def test_only_what_must_be_fails() -> None:
    for item in run_checks(SITE):
        if item.verdict is Verdict.WARNING:
            assert item.requirement.severity is not Severity.MUST


def _budget(memory: int) -> Budget:
    staging = SITE.environments["staging"]
    hosts = [
        host.model_copy(update={"memory": memory}) if host.name == "staging-db" else host
        for host in staging.hosts
    ]
    return budget(staging.model_copy(update={"hosts": tuple(hosts)}))


@pytest.mark.parametrize(
    ("memory", "connections"), [(1, 0), (4, 50), (8, 150), (16, 350), (64, 500)]
)
def test_connections_of_a_database_server(memory: int, connections: int) -> None:
    assert _budget(memory * 10**9).max_connections == connections


def test_the_pages_database_server_serves_the_pages_services() -> None:
    found = _budget(8 * 10**9)
    assert (found.asked, found.fits) == (130, True)
    assert found.shared_buffers == 1_500_000_000


def test_what_a_site_accepts_is_a_warning_and_its_reason_is_told() -> None:
    text = site_template()
    accepted = text.replace(
        "  staging: # for changes in progress\n",
        "  staging: # for changes in progress\n"
        "    deviations: [{requirement: host.total, reason: one machine fewer by contract}]\n",
    )
    assert accepted != text
    fewer = re.sub(r"      - \{name: staging-worker-4.*\n", "", accepted)
    found = {
        (item.requirement.id, item.environment): item
        for item in run_checks(parse_site(fewer, "site.yaml"), ["staging"])
    }
    judged = found["host.total", "staging"]
    assert judged.verdict is Verdict.WARNING
    assert judged.evidence.endswith("Accepted: one machine fewer by contract")
    assert found["host.worker.count", "staging"].verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("network", "evidence"),
    [
        ({"pod_network": "10.30.0.0/16"}, "overlaps with pods (10.30.0.0/16)"),
        ({"service_network": "10.244.128.0/20"}, "pods (10.244.0.0/16) and services"),
        ({"proxy": {"address": "10.100.0.8", "port": 3128}}, "10.100.0.8 (the proxy) lies in"),
        ({"resolvers": ["10.244.0.53"]}, "10.244.0.53 (a resolver) lies in the network of pods"),
    ],
)
def test_the_clusters_ranges_lie_apart_from_all_that_is_reached(network, evidence):
    values = SITE.environments["production"].model_dump()
    values["network"] |= network
    finding = cluster_ranges(SITE, Environment.model_validate(values))
    assert finding.verdict is Verdict.FAILED
    assert evidence in finding.evidence
