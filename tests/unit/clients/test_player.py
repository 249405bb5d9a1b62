"""The player: which bytes go out, what it makes of what comes back."""

import gzip
import json

import httpx
import pytest

from fhirstack.clients.contract import Strategy
from fhirstack.clients.load import parse
from fhirstack.clients.player import play
from fhirstack.clients.sending import Wire, send

HEAD = """
client: A client 1
programs: {app: {name: App, repository: owner/app, version: v1}}
needs: {fhir: the FHIR base}
may_have: {guide: a guide}
headers: {User-Agent: okhttp/1, Accept-Encoding: gzip}
steps:
"""
STEP = """
  - id: %(id)s
    does: something
    as: %(who)s
    request: %(request)s
    then: it goes on
    source: app:src/Main.kt
"""


def contract(*steps: dict[str, object]):
    """Return a contract of steps, given as what differs from a plain one."""
    text = HEAD
    for number, step in enumerate(steps):
        given = {"id": f"s{number}", "who": "nobody", "request": {}, **step}
        more = {k: v for k, v in given.items() if k not in ("id", "who", "request")}
        text += STEP % {**given, "request": json.dumps(given["request"])}
        text += "".join(f"    {key}: {json.dumps(value)}\n" for key, value in more.items())
    return parse(text, "x.yaml")


def replay(recorder, *steps, strategy=Strategy.CARE_TEAM):
    with httpx.Client(timeout=20) as client:
        return play(
            contract(*steps), {"fhir": recorder.base}, client, lambda who: f"of-{who}", strategy
        )


RAW = [
    "/ImplementationGuide?&name:exact=a&context-quantity=le19&_sort=-context-quantity&_count=1",
    "/fhir//Patient",
    "/fhir/",
    "/Patient?a=%2f%2F&b=x|y,z&&c=%c3%bc",
    "/Patient/./../x?_lastUpdated=gt2026-01-01T00:00:00+03:00",
    "/Patient?name=a%20b&name=a+b",
    "?",
    "/Patient?",
]


@pytest.mark.parametrize("target", RAW)
def test_the_target_goes_out_as_it_is_written(recorder, target):
    assert not replay(recorder, {"request": {"url": "{fhir}" + target}}).failures
    line = recorder.seen[0].split(b"\r\n")[0].decode()
    assert line == f"GET {target} HTTP/1.1"


def test_only_the_contract_s_headers_go_out(recorder):
    replay(recorder, {"request": {"url": "{fhir}/x", "headers": {"App-Id": "a", "User-Agent": ""}}})
    head = recorder.seen[0].decode().lower().split("\r\n\r\n")[0].split("\r\n")[1:]
    assert sorted(line.split(":")[0] for line in head) == ["accept-encoding", "app-id", "host"]


def test_whose_token_is_carried(recorder):
    replay(
        recorder,
        {"request": {"url": "{fhir}/x"}},
        {"request": {"url": "{fhir}/x"}, "who": "worker"},
    )
    assert b"authorization" not in recorder.seen[0].lower()
    assert b"bearer of-worker" in recorder.seen[1].lower()


def test_gzip_goes_out_compressed_and_with_its_length(recorder):
    body = {"resourceType": "Bundle", "entry": [{"$repeat": 900, "$of": {"id": "{n}-" + "x" * 9}}]}
    request = {"method": "POST", "url": "{fhir}/", "json": body, "gzip": True}
    assert not replay(recorder, {"request": request}).failures
    head, _, content = recorder.seen[0].partition(b"\r\n\r\n")
    assert b"content-encoding: gzip" in head.lower()
    assert b"content-length: %d" % len(content) in head.lower()
    assert len(json.loads(gzip.decompress(content))["entry"]) == 900


def test_a_form_is_sent_as_one(recorder):
    request = {"method": "POST", "url": "{fhir}/t", "form": {"grant_type": "password"}}
    replay(recorder, {"request": request})
    assert recorder.seen[0].endswith(b"\r\n\r\ngrant_type=password")
    assert b"application/x-www-form-urlencoded" in recorder.seen[0]


def test_what_an_answer_gave_is_used_later(recorder):
    recorder.answers = [(200, {"entry": [{"resource": {"id": "7"}}]}), (200, {})]
    played = replay(
        recorder,
        {"request": {"url": "{fhir}/X"}, "keep": {"x_id": "entry[0].resource.id"}},
        {"request": {"url": "{fhir}/X/{x_id}"}},
    )
    assert not played.failures
    assert recorder.seen[1].startswith(b"GET /X/7 ")


def test_what_an_answer_did_not_give_fails_the_later_step_too(recorder):
    recorder.answers = [(401, {})]
    played = replay(
        recorder,
        {"request": {"url": "{fhir}/X"}, "keep": {"x_id": "entry[0].resource.id"}},
        {"request": {"url": "{fhir}/X/{x_id}"}},
        {"request": {"url": "{fhir}/Y"}},
    )
    first, second = played.failures
    assert "answered 401" in str(first)
    assert "x_id" in str(second)
    assert played.requests == len(recorder.seen) == 2


def test_an_answer_without_what_is_kept_fails(recorder):
    (failure,) = replay(recorder, {"request": {"url": "{fhir}"}, "keep": {"x": "id"}}).failures
    assert "without id" in str(failure)


def test_each_value_is_a_request(recorder):
    step = {
        "request": {"url": "{fhir}/{kind}?x={number}"},
        "each": {"kind": ["A", "B"], "number": ["1", "2"]},
    }
    assert replay(recorder, step).requests == 2
    assert [line.split(b" ")[1] for line in recorder.seen] == [b"/A?x=1", b"/B?x=2"]


def test_steps_of_other_strategies_are_not_sent(recorder):
    step = {"request": {"url": "{fhir}/x"}, "strategies": ["Location"]}
    assert replay(recorder, step).requests == 0
    assert replay(recorder, step, strategy=Strategy.LOCATION).requests == 1


def test_what_the_environment_does_not_have_is_not_sent_and_said(recorder):
    played = replay(
        recorder, {"request": {"url": "{fhir}/{guide}"}}, {"request": {"url": "{fhir}/x"}}
    )
    assert not played.failures
    assert played.unsent == {"s0": {"guide"}}
    assert len(recorder.seen) == 1


def test_pages_are_followed_by_the_server_s_own_link(recorder):
    link = {"relation": "next", "url": f"{recorder.base}/?_getpages=1&&x=%2f"}
    entry = [{"resource": {"resourceType": "Patient", "id": "1"}}]
    other = [{"resource": {"resourceType": "Patient", "id": "2"}}]
    recorder.answers = [(200, {"link": [link], "entry": entry}), (200, {"entry": other})]
    step = {
        "request": {"url": "{fhir}/Patient"},
        "answer": {"pages": 2, "has": ["Patient/1", "Patient/2"]},
    }
    assert not replay(recorder, step).failures
    assert recorder.seen[1].startswith(b"GET /?_getpages=1&&x=%2f ")


def test_a_page_that_leads_to_itself_ends(recorder):
    link = {"relation": "next", "url": recorder.base}
    recorder.answers = [(200, {"link": [link]}) for _ in range(300)]
    step = {"request": {"url": "{fhir}/Patient"}, "answer": {"pages": 1}}
    (failure,) = replay(recorder, step).failures
    assert "more than" in str(failure)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, {"issue": [{"diagnostics": "no parameter"}]}, "answered 400, not 200 (no parameter)"),
        (200, {"resourceType": "OperationOutcome"}, "is OperationOutcome, not Bundle"),
        (200, b"<html>", "is no resource, not Bundle"),
        (200, {"resourceType": "Bundle"}, "Patient/a is missing"),
    ],
)
def test_a_wrong_answer_fails_with_step_request_and_consequence(recorder, status, body, said):
    recorder.answers = [(status, body)]
    step = {
        "request": {"url": "{fhir}/Patient?&x"},
        "answer": {"resource": "Bundle", "has": ["Patient/a"]},
    }
    (failure,) = replay(recorder, step).failures
    for part in ("s0: ", f"GET {recorder.base}/Patient?&x", said, "it goes on", "src/Main.kt"):
        assert part in str(failure)


def test_no_answer_is_a_failure():
    with httpx.Client(timeout=5) as client:
        played = play(
            contract({"request": {"url": "{fhir}/x"}}),
            {"fhir": "http://127.0.0.1:1"},
            client,
            lambda who: "",
        )
    assert "got no answer" in str(played.failures[0])


def test_an_environment_that_gives_too_little_is_an_error(recorder):
    with httpx.Client() as client, pytest.raises(KeyError, match="fhir"):
        play(contract({"request": {"url": "{fhir}/x"}}), {}, client, lambda who: "")


@pytest.mark.parametrize(
    "url", ["/relative", "ftp://x/", "http://x/a b", "http://x/ü", "http://x/\r\n"]
)
def test_what_cannot_be_sent_is_an_error(url):
    with httpx.Client() as client, pytest.raises(ValueError, match="no URL"):
        send(client, Wire("GET", url, {}))
