from pathlib import Path

import pytest

from fhirstack.planes.local.runtime import Observed, plan
from fhirstack.planes.local.stack import Stack
from fhirstack.planes.local.supervisor import ProcessInfo, State, render
from fhirstack.services.workload import File, TcpProbe, Workload

STACK = Stack("one", Path("/stacks/one"), 18400)
WEB = Workload("web", ("/bin/web",), TcpProbe("http"), files=(File("web.conf", "x=1\n"),))
CONFIG = STACK.path("config", "web", "web.conf")


def info(state=State.RUNNING, name="web"):
    return ProcessInfo(name, state, 7, 1, "")


def observed(**changes):
    values = {
        "files": {CONFIG: "x=1\n"},
        "configuration": render(STACK.root, (WEB,)),
        "processes": {"web": info()},
    }
    return Observed(**{**values, **changes})


def actions(**changes):
    found = plan(STACK, (WEB,), observed(**changes))
    return [(change.address, change.action.value) for change in found]


def test_nothing_differs():
    assert actions() == []


def test_a_bare_machine():
    assert actions(files={}, configuration="", processes={}) == [
        ("config/web/web.conf", "create"),
        ("web", "start"),
    ]


@pytest.mark.parametrize("state", [State.STOPPED, State.EXITED, State.FATAL, State.STOPPING])
def test_a_process_that_is_not_up_is_started(state):
    assert actions(processes={"web": info(state)}) == [("web", "start")]


@pytest.mark.parametrize("state", [State.STARTING, State.BACKOFF, State.RUNNING])
def test_a_process_that_is_coming_up_is_left(state):
    assert actions(processes={"web": info(state)}) == []


def test_an_edited_file_is_put_right_without_a_restart():
    assert actions(files={CONFIG: "x=2\n"}) == [("config/web/web.conf", "update")]


def test_a_changed_service_is_restarted():
    other = Workload("web", ("/bin/web", "--old"), TcpProbe("http"), files=WEB.files)
    assert actions(configuration=render(STACK.root, (other,))) == [("web", "restart")]


def test_what_no_service_needs_is_stopped():
    processes = {"web": info(), "old": info(name="old")}
    assert actions(processes=processes) == [("old", "stop")]


def test_no_change_shows_a_files_content():
    secret = Workload("web", ("/bin/web",), TcpProbe("http"), files=(File("a", "password"),))
    changes = plan(STACK, (secret,), observed())
    assert "password" not in repr(changes)
    assert "password" not in str([change.as_dict() for change in changes])
