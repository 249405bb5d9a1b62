"""Judgements: what changes in the verdicts where hosts answer something else."""

from typing import Any

import pytest
import yaml
from tests.unit.preflight.scene import CASES, seen

from fhirstack.checks.preflight.facts import Seen
from fhirstack.checks.preflight.registry import conclusion, judged, run
from fhirstack.errors import ExitCode
from fhirstack.page.requirements import How, Severity, requirement, requirements
from fhirstack.page.results import CheckResult, Verdict

Key = tuple[str, str | None]


def _found(of: Seen) -> dict[Key, CheckResult]:
    return {(item.requirement.id, item.host): item for item in run(of)}


WELL = _found(seen({}))


def test_all_is_well() -> None:
    left = {key: item.evidence for key, item in WELL.items() if item.verdict is not Verdict.OK}
    assert left == {
        ("firewall.restrictions", None): "needs hosts that are set up: `firewall prove` tries"
        " every flow",
        ("tls.provided", None): "not needed: certificates are not provided by the site",
    }
    assert conclusion(seen({}), run(seen({}))) is ExitCode.OK


@pytest.mark.parametrize(
    "case",
    yaml.safe_load((CASES / "judgements.yaml").read_text(encoding="utf-8")),
    ids=lambda case: case["name"],
)
def test_judgements(case: dict[str, Any]) -> None:
    of = seen(case)
    results = _found(of)
    assert results.keys() == WELL.keys()
    lost = set(case.get("skipped", ()))
    for (_, host), item in results.items():
        if host in lost:
            assert item.verdict is Verdict.SKIPPED
    changed = {
        key: item
        for key, item in results.items()
        if key[1] not in lost and item.verdict is not WELL[key].verdict
    }
    wanted = {(one["requirement"], one.get("host")): one for one in case["results"]}
    assert {key: item.verdict.value for key, item in changed.items()} == {
        key: one["verdict"] for key, one in wanted.items() if key in changed
    } | {key: one["verdict"] for key, one in wanted.items() if _differs(key, one)}
    for key, one in wanted.items():
        assert one.get("evidence", "") in results[key].evidence
        assert one.get("remedy", "") in results[key].remedy
        assert results[key].verdict.value == one["verdict"]
    for item in changed.values():
        if item.verdict in (Verdict.FAILED, Verdict.WARNING):
            assert item.remedy or case.get("reached"), f"{item.requirement.id} has no remedy"
    failing = any(item.verdict is Verdict.FAILED for item in changed.values())
    expected = ExitCode.DIFFERENCES if failing else ExitCode.OK
    if lost:
        expected = ExitCode.UNREACHABLE
    assert conclusion(of, tuple(results.values())) is expected


def _differs(key: Key, one: dict[str, Any]) -> bool:
    return bool(one["verdict"] != WELL[key].verdict.value)


def test_each_requirement_on_hosts_is_judged_and_no_other() -> None:
    assert judged() == {entry.id for entry in requirements() if How.HOST in entry.how}


def test_some_hosts_alone() -> None:
    of = seen({"chosen": ["production-worker-1"]})
    results = _found(of)
    assert {host for _, host in results} == {None, "production-worker-1"}
    assert ("dns.public-address", "production-lb") not in results
    assert ("ssh.bastion", None) not in results
    assert results["host.one-release", None].verdict is Verdict.SKIPPED
    assert results["network.time", None].verdict is Verdict.SKIPPED
    alone = seen({"chosen": ["production-lb"]})
    assert ("ssh.load-balancer", None) not in _found(alone)


def test_a_single_host_is_judged_by_this_machines_clock() -> None:
    change = {"production-worker-1": {"clock": {"offset": 20.0, "within": 0.1}}}
    results = _found(seen({"chosen": ["production-worker-1"], "change": change}))
    assert results["network.time", "production-worker-1"].verdict is Verdict.FAILED


def test_nat_is_told() -> None:
    change = {"production-lb": {"addresses": ["10.30.0.10"]}}
    found = _found(seen({"change": change}))["network.public-address", "production-lb"]
    assert found.verdict is Verdict.OK
    assert "behind NAT" in found.evidence


def test_what_must_be_is_never_only_warned_of() -> None:
    assert requirement("host.ports").severity is Severity.MUST
    assert requirement("host.swap").severity is Severity.INFO
