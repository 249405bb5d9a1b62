"""Plans of all hosts together: twins, errors, order, and one after another where it disrupts."""

import threading
from types import SimpleNamespace

import pytest

from fhirstack.errors import FhirstackError, UnreachableError
from fhirstack.model.access import Access
from fhirstack.planes.hosts import plane
from fhirstack.planes.plane import Action, Change


def change(host, disrupts=False, action=Action.UPDATE):
    return Change("hosts", f"{host}/file:/a", action, disrupts=disrupts)


def host_plan(name, *changes, machine=None):
    return plane.HostPlan(name, changes, f"print-{name}", machine or name)


def told(**rest):
    return {
        "changes": [
            {
                "address": "file:/a", "action": "update", "before": None, "after": None,
                "reason": "r", "diff": "", "disrupts": False, "guarded": False,
            }
        ],
        "fingerprint": "f",
        "machine_id": "m",
        **rest,
    }  # fmt: skip


def test_a_plan_is_read_from_the_agents_answer():
    found = plane.read_plan("db", told())
    assert found.changes[0].address == "db/file:/a"
    assert found.fingerprint == "f"


@pytest.mark.parametrize("key", ["refused", "error"])
def test_what_the_agent_refuses_is_an_error_at_its_host(key):
    with pytest.raises(FhirstackError, match="because") as raised:
        plane.read_plan("db", {key: "because", "machine_id": "m"})
    assert raised.value.where == "db"


def test_twins_are_told_of_each_other():
    found = list(
        plane.twins([host_plan("a", machine="1"), host_plan("b"), host_plan("c", machine="1")])
    )
    (errors,) = found
    assert errors.keys() == {"a", "c"}
    assert "machine-id of a" in errors["c"].what


def outcomes(monkeypatch, plans, waves, failing=()):
    """Apply with a call that only notes who is at work at the same time."""
    together, seen, lock = [], [], threading.Lock()
    at_work = set()

    def call(connections, name, request, doing, **rest):
        assert request["expected"] == f"print-{name}"
        with lock:
            at_work.add(name)
            together.append(frozenset(at_work))
        seen.append(name)
        with lock:
            at_work.remove(name)
        if name in failing:
            raise UnreachableError("cut", where=name)
        return {"done": ["file:/a"], "errors": {}}

    class Connections:
        class environment:  # noqa: N801 - stands for an object
            name = "production"
            access = Access()
            hosts = tuple(SimpleNamespace(name=name, role=name[0]) for name in plans)

    monkeypatch.setattr(plane, "call", call)
    found = plane.Plan(dict(plans.items()))
    desired = dict.fromkeys(plans, ())
    result = plane.apply(Connections(), "p", desired, found, waves)
    return result, seen, together


def test_waves_follow_each_other_and_hosts_with_nothing_to_do_are_not_called(monkeypatch):
    plans = {
        "db": host_plan("db", change("db")),
        "lb": host_plan("lb"),
        "w1": host_plan("w1", change("w1")),
        "told": host_plan("told", change("told", action=Action.REPORT)),
    }
    result, seen, _ = outcomes(monkeypatch, plans, [["db"], ["lb"], ["w1", "told"]])
    assert seen == ["db", "w1"]
    assert not any(outcome.errors for outcome in result)


def test_where_something_is_interrupted_hosts_take_turns(monkeypatch):
    plans = {name: host_plan(name, change(name, disrupts=True)) for name in ("w1", "w2", "w3")}
    _, seen, together = outcomes(monkeypatch, plans, [["w1", "w2", "w3"]])
    assert seen == ["w1", "w2", "w3"]
    assert max(map(len, together)) == 1


def test_after_a_failure_its_like_is_not_interrupted_and_all_else_goes_on(monkeypatch):
    plans = {name: host_plan(name, change(name, disrupts=True)) for name in ("db", "w1", "w2", "a")}
    plans["w3"] = host_plan("w3", change("w3"))
    waves = [["db"], ["w1", "w2", "w3", "a"]]
    result, seen, _ = outcomes(monkeypatch, plans, waves, failing={"db"})
    assert seen == ["db", "w3", "w1", "w2", "a"]
    assert [outcome.host for outcome in result if outcome.errors] == ["db"]
    _, seen, _ = outcomes(monkeypatch, plans, waves, failing={"w1"})
    assert seen == ["db", "w3", "w1", "a"]
