"""The edge and the gateway read one address alike: mutated addresses, sent to both, byte for byte.

The edge lets an address through by its rules, and the gateway judges it. Where the two understood
different things, what one of them had closed would be open. A failure names the seed, and
FHIRSTACK_SEED repeats it.
"""

import http.client
import json
import os
import random
import socket
import ssl
import time
from dataclasses import dataclass

import pytest

from fhirstack.checks.fixtures import cast
from fhirstack.patience import HANG_SECONDS
from fhirstack.services import fhir_gateway
from tests.e2e.keycloak import session

pytestmark = pytest.mark.e2e

TARGETS = 400
PIECES = (
    "/", "//", "/./", "/../", "..", "%2e%2e", "%2E", "%2f", "%2F", "\\", "%5c", ";", ";a=b", "%00",
    "%", "%2", "%25", "%252f", "%c0%af", "%ef%bc%8f", "%E2%80%A5", "+", "~", "@", ":", "*", ",",
    "|", "?", "??", "&", "=", "#", "%23", "%3f", "%26", "$everything", "/_history", "/_search",
    "/$meta", "_id=", "_format=json", "/gateway", "/actuator/health", "é", "\u2160",
    "%09", "%0d%0a", "%7f",
)  # fmt: skip


@dataclass(frozen=True)
class Read:
    """What a reader made of an address: its status, and what it gave out."""

    status: int
    given: frozenset[str]


def mutated(good: str, chooser: random.Random) -> str:
    """Return an address with one to three of its pieces changed."""
    text = good
    for _ in range(chooser.randint(1, 3)):
        at = chooser.randrange(1, len(text) + 1)
        change = chooser.randrange(6)
        if change < 3:
            text = text[:at] + chooser.choice(PIECES) + text[at:]
        elif change == 3:
            text = text[:at] + text[at + chooser.randint(1, 3) :]
        elif change == 4 and at < len(text):
            text = text[:at] + f"%{ord(text[at]) & 255:02{chooser.choice('xX')}}" + text[at + 1 :]
        else:
            text = text[:at] + text[at:].swapcase()
    return text


def named(node: object) -> frozenset[str]:
    """Return the resources that an answer holds, as ``Type/id``."""
    found: set[str] = set()
    todo = [node]
    while todo:
        match todo.pop():
            case dict() as one:
                kind = one.get("resourceType", "OperationOutcome")
                # What is made for each request has another id each time.
                id = "" if kind in ("Bundle", "CapabilityStatement") else one.get("id", "")
                if kind != "OperationOutcome":
                    found.add(f"{kind}/{id}")
                todo += one.values()
            case list() as several:
                todo += several
    return frozenset(found)


def asked(connection: socket.socket, host: str, target: str, token: str) -> Read:
    lines = (
        f"GET {target} HTTP/1.1", f"Host: {host}", "Accept: application/fhir+json",
        f"Authorization: Bearer {token}", "Connection: close", "", "",
    )  # fmt: skip
    with connection:
        connection.sendall("\r\n".join(lines).encode())
        answer = http.client.HTTPResponse(connection, method="GET")
        answer.begin()
        body = answer.read()
    try:
        return Read(answer.status, named(json.loads(body)))
    except ValueError:
        return Read(answer.status, frozenset())


@pytest.fixture(scope="module")
def opened(cli):
    with session(cli) as one, cast(one):
        yield one


@pytest.fixture
def readers(opened):
    """Return a way to ask the edge, and one to ask the gateway behind it."""
    name = opened.environment.dns_name("fhir")
    port = opened.environment.edge.https_port
    inside = opened.inside[fhir_gateway.NAME, "http"]
    host = f"{name}:{port}"
    trust = ssl.create_default_context(cafile=str(opened.authority))

    def edge(target: str, token: str) -> Read:
        plain = socket.create_connection((name, port), HANG_SECONDS)
        return asked(trust.wrap_socket(plain, server_hostname=name), host, target, token)

    def gateway(target: str, token: str) -> Read:
        plain = socket.create_connection((inside.host, inside.port), HANG_SECONDS)
        return asked(plain, host, target, token)

    return edge, gateway


def test_the_edge_and_the_gateway_read_an_address_alike(opened, readers):
    edge, gateway = readers
    people = opened.people
    seed = int(os.environ.get("FHIRSTACK_SEED", time.time_ns() % 1_000_000_000))
    chooser = random.Random(seed)  # noqa: S311 - what is tried is no secret
    good = (
        f"/fhir/Patient/{people.patient}",
        f"/fhir/Patient/{people.patient}/_history/1",
        f"/fhir/Patient?_id={people.patient}",
        f"/fhir/Observation?subject=Patient/{people.patient}&_elements=id",
        f"/PractitionerDetail?keycloak-uuid={people.nurse.user_id}",
        "/fhir/metadata?_elements=id",
        "/LocationHierarchy",
    )
    both: dict[str, int] = {"alike": 0, "refused by one": 0}
    for number in range(TARGETS):
        target = mutated(good[number % len(good)], chooser)
        where = f"FHIRSTACK_SEED={seed}, {number}: {target!r}"
        token = opened.tokens_of(people.nurse)["access_token"]
        by_edge, by_gateway = edge(target, token), gateway(target, token)
        told = f"{where}: edge {by_edge}, gateway {by_gateway}"
        assert max(by_edge.status, by_gateway.status) < 500, told
        others = {f"Patient/{people.other_patient}", f"Observation/{people.other_observation}"}
        assert not others & (by_edge.given | by_gateway.given), told
        # A reader may refuse what the other takes; two that take it take it for the same thing.
        if by_edge.status == 200 == by_gateway.status:
            assert by_edge.given == by_gateway.given, told
        alike = by_edge.status == by_gateway.status
        both["alike" if alike else "refused by one"] += 1
    # It found addresses that are read, and some that only one of the two takes.
    assert both["alike"] > TARGETS / 4, both
    assert both["refused by one"], both
