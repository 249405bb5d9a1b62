import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from fhirstack.demo import bundle_count, load, teams, transaction
from fhirstack.demo.load import pieces
from fhirstack.demo.patients import households
from fhirstack.errors import CheckFailedError, UnreachableError

Handler = Callable[[httpx.Request], httpx.Response]


def bundle(*numbers: int, name: str = "b") -> dict[str, Any]:
    return transaction(({"resourceType": "Patient", "id": f"p{n}"} for n in numbers), name=name)


class Server:
    """Stores what is put, as HAPI does: an identical PUT is no new version."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] = {}
        self.sizes: list[int] = []
        self._lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url == "http://fhir.example/fhir/"
        answers = []
        with self._lock:
            entries = json.loads(request.content)["entry"]
            self.sizes.append(len(entries))
            for entry in entries:
                address, resource = entry["request"]["url"], entry["resource"]
                answer: dict[str, Any] = {"status": "201 Created"}
                if self.stored.get(address) == resource:
                    coding = {"code": "SUCCESSFUL_UPDATE_NO_CHANGE"}
                    issue = {"details": {"coding": [coding]}}
                    answer = {"status": "200 OK", "outcome": {"issue": [issue]}}
                self.stored[address] = resource
                answers.append({"response": answer})
        return answered(answers)


def answered(entries: list[Any]) -> httpx.Response:
    body = {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}
    return httpx.Response(200, json=body)


def outcome(status: int, diagnostics: str) -> httpx.Response:
    body = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": diagnostics}]}
    return httpx.Response(status, json=body)


def client(handler: Handler) -> httpx.Client:
    return httpx.Client(base_url="http://fhir.example/fhir", transport=httpx.MockTransport(handler))


def test_counts_by_type_and_the_same_again():
    server = Server()
    bundles = [bundle(1, 2), bundle(3), bundle(4)]

    with client(server) as fhir:
        first, second = load(fhir, bundles), load(fhir, bundles)

    assert first.resources == second.resources == {"Patient": 4}
    assert (first.created, first.unchanged, first.updated, first.total) == (4, 0, 0, 4)
    assert (second.created, second.unchanged, second.transactions) == (0, 4, 3)


def test_nothing_to_load():
    with client(Server()) as fhir:
        assert load(fhir, []).total == 0


def test_progress_ends_at_the_total():
    calls: list[tuple[str, int, int | None]] = []

    with client(Server()) as fhir:
        load(fhir, [bundle(1, 2), bundle(3)], lambda *call: calls.append(call), total=2)

    assert calls == [("Loading", 1, 2), ("Loading", 2, 2)]


@pytest.mark.parametrize("patients", [1, 2, 3, 7, 50, 119])
def test_the_total_is_how_many_transactions_come(patients, make_patient, tmp_path):
    files = [tmp_path / f"{number}.json" for number in range(patients)]
    for number, file in enumerate(files):
        file.write_text(json.dumps(make_patient(number)))

    assert bundle_count(patients, 5) == len(list(households(files, 5, teams())))


def test_transactions_are_bounded():
    server = Server()

    with client(server) as fhir:
        result = load(fhir, [bundle(*range(25))], entries=10)

    assert server.sizes == [10, 10, 5]
    assert result.transactions == 3


def test_what_is_referred_to_goes_in_an_earlier_piece_or_the_same():
    chain = [
        {"resourceType": "Task", "id": str(n), "partOf": [{"reference": f"Task/{n + 1}"}]}
        for n in range(9)
    ]
    chain[-1].pop("partOf")

    cut = list(pieces(transaction(chain), 4))

    ids = [[entry["resource"]["id"] for entry in piece["entry"]] for piece in cut]
    assert ids == [["8", "7", "6", "5"], ["4", "3", "2", "1"], ["0"]]


def test_a_small_bundle_and_a_circle_stay_whole():
    circle = [
        {"resourceType": "Task", "id": "1", "partOf": [{"reference": "Task/2"}]},
        {"resourceType": "Task", "id": "2", "partOf": [{"reference": "Task/1"}]},
    ]

    assert list(pieces(transaction(circle), 2)) == [transaction(circle)]
    assert sum(len(piece["entry"]) for piece in pieces(transaction(circle), 1)) == 2


def test_bundles_are_read_as_needed():
    read, most = 0, 0
    server = Server()

    def source() -> Iterator[dict[str, Any]]:
        nonlocal read, most
        for number in range(40):
            read += 1
            most = max(most, read - len(server.stored))
            yield bundle(number)

    with client(server) as fhir:
        load(fhir, source(), workers=2)

    assert len(server.stored) == 40
    assert most <= 6


def test_the_first_bundle_is_there_before_any_other_is_sent():
    server = Server()

    def handler(request: httpx.Request) -> httpx.Response:
        answer = server(request)
        assert "Patient/p0" in server.stored
        return answer

    with client(handler) as fhir:
        load(fhir, [bundle(number) for number in range(10)], workers=4)


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("gone"),
        outcome(503, "starting"),
        outcome(409, "version conflict"),
        httpx.Response(502, text="bad gateway"),
    ],
    ids=str,
)
def test_a_failure_that_passes_is_tried_again(failure: Exception | httpx.Response):
    server, failures = Server(), iter([failure])

    def handler(request: httpx.Request) -> httpx.Response:
        for problem in failures:
            if isinstance(problem, Exception):
                raise problem
            return problem
        return server(request)

    with client(handler) as fhir:
        assert load(fhir, [bundle(1)]).total == 1


def test_a_failure_that_stays_names_server_and_bundle():
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused")

    with client(handler) as fhir, pytest.raises(UnreachableError) as caught:
        load(fhir, [bundle(7, name="household-1")], patience=0.3)

    text = str(caught.value)
    assert "http://fhir.example/fhir/" in text
    assert "bundle household-1 (1 entries, the first is Patient/p7)" in text
    assert "ConnectError: Connection refused" in text
    assert "run it again" in text


@pytest.mark.parametrize(
    ("diagnostics", "named"),
    [
        ("Bundle.entry[1]: wrong", "entry 1: Patient/p2"),
        ("Can not process Patient/p3: wrong", "entry 2: Patient/p3"),
        ("ID[p1] is wrong", "entry 0: Patient/p1"),
        ("wrong", "entry not named by the server"),
        ("Bundle.entry[99]: wrong", "entry not named by the server"),
    ],
)
def test_what_the_server_refuses_is_named_and_not_tried_again(diagnostics: str, named: str):
    calls = 0

    def handler(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        return outcome(422, diagnostics)

    with client(handler) as fhir, pytest.raises(CheckFailedError) as caught:
        load(fhir, [bundle(1, 2, 3)])

    assert calls == 1
    assert named in str(caught.value)
    assert f"HTTP 422: {diagnostics}" in str(caught.value)


def test_an_entry_that_refers_to_what_is_missing_is_named():
    entry = {
        "resourceType": "Observation",
        "id": "o1",
        "subject": {"reference": "Patient/nobody"},
    }

    def handler(request: httpx.Request) -> httpx.Response:
        return outcome(400, "Resource Patient/nobody not found, specified in path: subject")

    with client(handler) as fhir, pytest.raises(CheckFailedError, match="entry 0: Observation/o1"):
        load(fhir, [transaction([entry])])


def test_the_error_that_stopped_the_others_is_the_one_told():
    def handler(request: httpx.Request) -> httpx.Response:
        number = int(json.loads(request.content)["entry"][0]["resource"]["id"][1:])
        if number == 5:
            return outcome(422, "Patient/p5 is wrong")
        if number > 5:
            raise httpx.ConnectError("busy")
        return answered([])

    with client(handler) as fhir, pytest.raises(CheckFailedError, match="Patient/p5 is wrong"):
        load(fhir, [bundle(number) for number in range(20)], workers=4)


def test_an_answer_of_another_server_is_refused():
    with (
        client(lambda _: httpx.Response(200, text="<html>Welcome</html>")) as fhir,
        pytest.raises(UnreachableError, match="not a FHIR transaction response"),
    ):
        load(fhir, [bundle(1)])


def test_an_interrupted_load_is_completed_by_another():
    server = Server()

    def interrupted() -> Iterator[dict[str, Any]]:
        yield bundle(1)
        yield bundle(2)
        raise KeyboardInterrupt

    with client(server) as fhir:
        with pytest.raises(KeyboardInterrupt):
            load(fhir, interrupted())
        load(fhir, [bundle(1), bundle(2), bundle(3)])

    assert sorted(server.stored) == ["Patient/p1", "Patient/p2", "Patient/p3"]
