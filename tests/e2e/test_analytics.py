"""`sync` and the schedule on the real services: all is carried, exactly, whatever breaks."""

import json
import os
import signal

import httpx
import pytest

from fhirstack.errors import UnreachableError
from fhirstack.planes.local import processes, sync
from fhirstack.services import pipelines
from tests.e2e import analytics
from tests.e2e.keycloak import administration, platform_of
from tests.e2e.waiting import until

pytestmark = pytest.mark.e2e

PATIENTS = 12
OBSERVATIONS = 1500
ODD = {
    "patient": (
        '{"resourceType":"Patient","id":"odd-patient","name":[{"family":"ወልደ-ማርያም","given":'
        '["አበበ","😀","\\u0645\\u062d\\u0645\\u062f"]}],"birthDate":"1990","active":false,'
        '"text":{"status":"generated","div":"<div xmlns=\\"http://www.w3.org/1999/xhtml\\">a &lt; b'
        ' &quot;c&quot; \\\\ d</div>"}}'
    ),
    "observation": (
        '{"resourceType":"Observation","id":"odd-observation","status":"final","code":{"text":'
        '"体重"},"effectiveDateTime":"2025-07","valueQuantity":{"value":1.10,"unit":"kg"},'
        '"component":[{"code":{"text":"a"},"valueQuantity":{"value":0.000100}},'
        '{"code":{"text":"b"},"valueQuantity":{"value":12345678901234567890.12}}]}'
    ),
    "questionnaire-response": (
        '{"resourceType":"QuestionnaireResponse","id":"odd-response","status":"completed",'
        '"contained":[{"resourceType":"List","id":"l","status":"current","mode":"working",'
        '"extension":[{"url":"https://example.org/a","extension":[{"url":"b","valueDecimal":2.50},'
        '{"url":"c","extension":[{"url":"d","valueString":"ሰላም"}]}]}]}],'
        '"item":[{"linkId":"1","item":[{"linkId":"1.1","answer":[{"valueDate":"2024-02"}]}]}]}'
    ),
}


@pytest.fixture(scope="module", autouse=True)
def quiet(cli):
    with analytics.no_schedule(cli):
        yield


@pytest.fixture(scope="module")
def loaded(cli):
    """The demo's patients, and records enough that a run can be met in the middle."""
    cli.ok("demo", "load", "--patients", str(PATIENTS))
    for first in range(0, OBSERVATIONS, 500):
        analytics.write(
            cli,
            *(
                {
                    "resourceType": "Observation",
                    "id": f"many-{number:05d}",
                    "status": "final",
                    "code": {"text": "weight"},
                    "valueQuantity": {"value": number / 10, "unit": "kg"},
                }
                for number in range(first, first + 500)
            ),
        )


@pytest.fixture(scope="module")
def synced(cli, loaded):
    """Carry it all; return what the command said."""
    return cli.ok("sync")


def test_a_sync_carries_everything_and_tells_tables_and_counts(cli, synced):
    analytics.assert_equal(cli)
    lines = [line.split() for line in synced.splitlines()]
    (written,) = [words[1] for words in lines if words[:1] == ["observation"]]
    assert written == f"{len(analytics.carried(cli, 'Observation')):,}"
    assert ["patient", str(PATIENTS)] in [words[:2] for words in lines]
    assert "models made" in synced
    assert "tests passed" in synced
    ((people,),) = analytics.query(cli, "SELECT count(*) FROM marts.patients")
    assert people >= PATIENTS
    ((anonymous,),) = analytics.query(cli, "SELECT count(*) FROM marts_anonymous.patients")
    assert anonymous == people


def test_a_second_sync_says_that_nothing_is_new_and_writes_nothing(cli, synced):
    before = analytics.versions(cli)
    assert "Nothing is new." in cli.ok("sync")
    assert analytics.versions(cli) == before


def test_a_sync_as_data(cli, synced):
    answer = cli("sync", "--format", "json")
    assert answer.code == 0, answer.text
    done = json.loads(answer.out)
    assert (done["status"], done["error"], done["resources"]) == ("ok", None, 0)
    assert done["streams"]["patient"]["status"] == "complete"
    assert done["run"] == analytics.last_run(cli)[0]


def test_reading_everything_again_changes_no_row(cli, synced):
    before = analytics.versions(cli)
    cli.ok("sync", "--full")
    assert analytics.versions(cli) == before
    assert analytics.last_run(cli)[1:3] == ("ok", True)
    analytics.assert_equal(cli)


def test_what_changed_is_changed_and_what_was_deleted_is_gone(cli, synced):
    one = {"resourceType": "Patient", "id": "changing", "gender": "female"}
    analytics.write(cli, one, {**one, "id": "going"})
    cli.ok("sync")
    marts = (
        "SELECT patient_id, gender FROM marts.patients WHERE patient_id IN ('changing', 'going')"
    )
    assert sorted(analytics.query(cli, marts)) == [("changing", "female"), ("going", "female")]
    analytics.write(cli, {**one, "gender": "male"})
    with platform_of(cli).fhir() as fhir:
        assert fhir.delete("/Patient/going").status_code in (200, 204)
    cli.ok("sync")
    assert analytics.query(cli, marts) == [("changing", "male")]
    assert not {"going"} & analytics.carried(cli, "Patient").keys()
    with platform_of(cli).fhir() as fhir:
        fhir.delete("/Patient/changing")


def test_odd_resources_arrive_exactly(cli, synced):
    written = [analytics.exact(text) for text in ODD.values()]
    with platform_of(cli).fhir() as fhir:
        for text, resource in zip(ODD.values(), written, strict=True):
            path = f"/{resource['resourceType']}/{resource['id']}"
            headers = {"Content-Type": "application/fhir+json; charset=utf-8"}
            answer = fhir.put(path, content=text.encode(), headers=headers)
            assert answer.status_code in (200, 201), answer.text
    try:
        cli.ok("sync")
        for resource in written:
            found = analytics.carried(cli, resource["resourceType"])[resource["id"]]
            assert found.pop("meta")
            assert found == resource
        numbers = (
            "SELECT resource #>> '{valueQuantity,value}',"
            " resource #>> '{component,0,valueQuantity,value}'"
            " FROM airbyte.observation WHERE id = 'odd-observation'"
        )
        assert analytics.query(cli, numbers) == [("1.10", "0.000100")]
        analytics.assert_equal(cli)
    finally:
        with platform_of(cli).fhir() as fhir:
            for resource in written:
                fhir.delete(f"/{resource['resourceType']}/{resource['id']}")


def test_two_syncs_at_once_run_one_after_the_other(cli, synced):
    before = analytics.last_run(cli)[0]
    both = [analytics.start(cli, "sync", "--full") for _ in range(2)]
    told = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert analytics.last_run(cli)[0] == before + 2
    overlaps = (
        "SELECT count(*) FROM sync.runs a JOIN sync.runs b ON a.id < b.id"
        " WHERE b.started_at < a.finished_at"
    )
    assert analytics.query(cli, overlaps) == [(0,)]


@pytest.mark.parametrize(
    ("package", "status", "says"),
    [
        (analytics.SOURCE, "failed", "source ended with -9"),
        (analytics.DESTINATION, "failed", "destination ended with -9"),
        (analytics.RUNNER, "killed", "the runner ended with -9"),
    ],
)
def test_a_process_killed_in_the_middle_loses_nothing(cli, synced, package, status, says):
    def act():
        (pid,) = analytics.pids(cli, package)
        analytics.kill(pid)

    try:
        told = analytics.interrupted_sync(cli, act)["error"]
    except UnreachableError as error:
        told = str(error)
    assert says in told
    analytics.assert_nothing_runs(cli)
    broken = analytics.last_run(cli)[0]
    cli.ok("sync")
    assert analytics.query(cli, "SELECT status FROM sync.runs WHERE id = %s", broken) == [(status,)]
    analytics.assert_equal(cli)


def test_a_database_restarted_in_the_middle_loses_nothing(cli, synced):
    def act():
        cli.supervisor.stop("postgresql")
        cli.supervisor.start("postgresql")

    # It recovers, or says what was the matter.
    told = ""
    try:
        done = analytics.interrupted_sync(cli, act)
        told = done["error"] or done["status"]
    except UnreachableError as error:
        told = str(error)
    assert told == "ok" or "warehouse" in told or "source" in told or "carried" in told
    assert "Traceback" not in told
    analytics.assert_nothing_runs(cli)
    until(
        lambda: all(s["ready"] for name, s in cli.status().items() if name != pipelines.NAME),
        "everything is back",
    )
    cli.ok("sync")
    analytics.assert_equal(cli)


def test_an_interrupted_sync_ends_its_processes_and_is_recorded(cli, synced):
    process = analytics.start(cli, "sync", "--full")
    until(lambda: analytics.pids(cli, analytics.DESTINATION), "the connectors run")
    os.killpg(process.pid, signal.SIGINT)
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 130, text
    assert "Traceback" not in text
    analytics.assert_nothing_runs(cli)
    assert analytics.last_run(cli)[1:3] == ("interrupted", True)
    cli.ok("sync")
    analytics.assert_equal(cli)


def test_a_fhir_server_that_is_down_is_said(cli, synced):
    """It comes back when the first types were given up: the others need not wait for that too."""
    cli.supervisor.stop("fhir-server")
    down, told, last = True, 0, {}
    try:
        for event in sync.run(platform_of(cli)):
            last = event
            told += event["event"] == "progress"
            # Two types at a time tell twice that they begin, and then that they could not.
            if down and told > 6:
                cli.supervisor.start("fhir-server")
                down = False
    finally:
        if down:
            cli.supervisor.start("fhir-server")
    assert last["status"] == "failed"
    assert any(code in last["error"] for code in ("502", "503", "504"))
    given_up = [name for name, count in last["streams"].items() if count["status"] == "incomplete"]
    assert given_up
    assert all(name in last["error"] for name in given_up)
    until(lambda: all(cli.status()[n]["ready"] for n in ("fhir-server", "fhir-gateway")), "back")
    cli.ok("sync")
    analytics.assert_equal(cli)


def test_a_wrong_client_secret_is_said_and_put_right(cli, synced):
    with administration(cli) as (admin, realm):
        (client,) = admin.get(f"/{realm}/clients", clientId="data-pipelines")
        admin.put(f"/{realm}/clients/{client['id']}", {**client, "secret": "known-to-others"})
    answer = cli("sync")
    assert answer.code == 1
    assert "401" in answer.text
    assert "token" in answer.text
    secret = platform_of(cli).secrets[pipelines.CLIENT_SECRET].reveal()
    assert secret not in answer.text
    (change, *_) = [c for c in cli.converge().changes if c.plane == "iam"]
    assert change.address == "clients/data-pipelines"
    cli.ok("sync")


def test_without_postgresql_nothing_is_carried_and_that_is_said(cli, synced):
    cli.supervisor.stop("postgresql")
    try:
        answer = cli("sync")
    finally:
        cli.supervisor.start("postgresql")
    assert answer.code == 3
    assert "nothing was carried" in answer.text
    assert "Traceback" not in answer.text
    until(
        lambda: all(s["ready"] for name, s in cli.status().items() if name != pipelines.NAME),
        "everything is back",
    )


def test_the_schedule_runs_by_itself_and_answers_metrics_on_loopback_only(cli, synced):
    if cli.status()[pipelines.NAME]["pid"]:
        cli.supervisor.stop(pipelines.NAME)
    last = analytics.last_run(cli)[0]
    cli.supervisor.start(pipelines.NAME)

    def ran():
        number, status, *_ = analytics.last_run(cli)
        return number > last and status == "ok"

    until(ran, "the schedule's first run")
    port = cli.stack.port(pipelines.NAME, "metrics")
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics")
    lines = dict(
        line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#")
    )
    assert float(lines["fhirstack_sync_up"]) == 1
    assert float(lines['fhirstack_sync_runs_total{status="ok"}']) >= 1
    assert float(lines['fhirstack_sync_runs_total{status="interrupted"}']) >= 1
    assert float(lines["fhirstack_sync_resources_total"]) >= OBSERVATIONS
    assert float(lines["fhirstack_sync_last_success_timestamp_seconds"]) > 0
    (own,) = [s for s in processes.listening_of_stack(cli.stack.root) if s.port == port]
    assert own.address.is_loopback
    assert cli.status()[pipelines.NAME]["ready"]
