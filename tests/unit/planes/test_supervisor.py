from pathlib import Path

import pytest

from fhirstack.planes.local.status import recent_exits
from fhirstack.planes.local.supervisor import render, revision, revisions
from fhirstack.services.workload import File, TcpProbe, Workload

ROOT = Path("/stacks/one")


def workload(**changes):
    values = {
        "name": "web",
        "command": ("/bin/web", "--path=/a b", "100%"),
        "probe": TcpProbe("http"),
        "files": (File("web.conf", "x=1\n"),),
        "environment": {"A": "1"},
    }
    return Workload(**{**values, **changes})


def test_a_rendered_configuration_tells_its_revisions():
    one, two = workload(), workload(name="two")
    assert revisions(render(ROOT, [one, two])) == {"web": revision(one), "two": revision(two)}


@pytest.mark.parametrize(
    "changes",
    [
        {"command": ("/bin/web",)},
        {"files": (File("web.conf", "x=2\n"),)},
        {"files": (File("other.conf", "x=1\n"),)},
        {"environment": {"A": "2"}},
    ],
)
def test_whatever_a_process_depends_on_changes_its_revision(changes):
    assert revision(workload()) != revision(workload(**changes))


def test_what_it_does_not_depend_on_leaves_its_revision():
    assert revision(workload()) == revision(workload(start_limit_seconds=1))


def test_percent_and_blanks_reach_the_program():
    text = render(ROOT, [workload()])
    assert "command=/bin/web '--path=/a b' 100%%" in text


def test_a_damaged_configuration_has_no_revisions():
    assert revisions("][ not an ini") == {}
    assert revisions("") == {}


@pytest.mark.parametrize("value", ['a"b', "a\nb"])
def test_values_that_would_break_out_are_refused(value):
    with pytest.raises(ValueError, match="cannot hold"):
        render(ROOT, [workload(environment={"A": value})])


def test_exits_of_the_last_ten_minutes_are_counted():
    log = "\n".join(
        [
            "2026-11-23 10:00:00,100 WARN exited: web (exit status 1; not expected)",
            "2026-11-23 10:09:00,100 WARN exited: web (terminated by SIGKILL; not expected)",
            "2026-11-23 10:09:30,100 INFO exited: web (exit status 0; expected)",
            "2026-11-23 10:09:40,100 WARN exited: db (exit status 1; not expected)",
            "2026-11-23 10:09:50,100 INFO success: web entered RUNNING state",
        ]
    )
    from datetime import datetime  # noqa: PLC0415

    now = datetime(2026, 11, 23, 10, 11).timestamp()
    assert recent_exits(log, now) == {"web": 1, "db": 1}
