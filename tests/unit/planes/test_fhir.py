"""What the FHIR store must hold for its clients, compared and written."""

import json

import httpx
import pytest

from fhirstack.errors import UnreachableError
from fhirstack.planes import fhir
from fhirstack.planes.plane import Action
from fhirstack.services import fhir_web


class Store:
    """A FHIR server's reads and writes of one resource each."""

    def __init__(self, status: int = 200) -> None:
        self.held: dict[str, dict] = {}
        self.status = status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        address = request.url.path.removeprefix("/fhir/")
        if self.status != 200:
            return httpx.Response(self.status, text="no")
        if request.method == "PUT":
            self.held[address] = json.loads(request.content) | {"meta": {"versionId": "1"}}
            return httpx.Response(201)
        held = self.held.get(address)
        return httpx.Response(200, json=held) if held else httpx.Response(404)

    @property
    def client(self) -> httpx.Client:
        transport = httpx.MockTransport(self)
        return httpx.Client(base_url="http://store/fhir", transport=transport)


WANTED = fhir_web.search_parameters()


def test_what_is_missing_is_made_and_then_nothing_differs():
    store = Store()
    found = fhir.plan(store.client, WANTED)
    assert [(change.address, change.action) for change in found] == [
        ("SearchParameter/fhirstack-careteam-name", Action.CREATE),
        ("SearchParameter/fhirstack-group-name", Action.CREATE),
    ]
    for change in found:
        assert change.apply
        change.apply()
    assert fhir.plan(store.client, WANTED) == []
    (group,) = [r for r in store.held.values() if r["base"] == ["Group"]]
    assert (group["code"], group["expression"], group["status"]) == ("name", "Group.name", "active")


@pytest.mark.parametrize("changed", [{"status": "retired"}, {"base": ["Patient"]}, {"code": "x"}])
def test_what_somebody_changed_is_put_right(changed):
    store = Store()
    for change in fhir.plan(store.client, WANTED):
        assert change.apply
        change.apply()
    store.held["SearchParameter/fhirstack-group-name"] |= changed
    (change,) = fhir.plan(store.client, WANTED)
    assert change.action is Action.UPDATE
    assert change.apply
    change.apply()
    assert fhir.plan(store.client, WANTED) == []


@pytest.mark.parametrize("status", [500, 503, 401])
def test_a_server_that_does_not_answer_is_said(status):
    with pytest.raises(UnreachableError, match=str(status)):
        fhir.plan(Store(status).client, WANTED)


def test_a_refusal_says_what_was_refused():
    store = Store()
    found = fhir.plan(store.client, WANTED)
    store.status = 422
    assert found[0].apply
    with pytest.raises(UnreachableError, match="fhirstack-careteam-name is refused: 422"):
        found[0].apply()
