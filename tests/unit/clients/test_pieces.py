"""Placeholders, paths, bodies, and what is judged of an answer."""

import base64
import gzip
import json

import pytest

from fhirstack.clients.answers import Page, problems
from fhirstack.clients.bodies import body_of, json_of
from fhirstack.clients.contract import Answer, Request
from fhirstack.clients.paths import found, kept
from fhirstack.clients.values import filled, names

VALUES = {"a": "1", "team": "t/2", "letter": "b", "dots": "a.c"}


def test_only_placeholders_are_filled():
    assert filled({"{a}": ["x{a}{team}", 3, None, True]}, VALUES) == {"1": ["x1t/2", 3, None, True]}
    assert filled('{"json": {a}} {A} {}', VALUES) == '{"json": 1} {A} {}'
    assert sorted(names({"{a}": ["{team}", {"x": "{a}{b}"}]})) == ["a", "a", "b", "team"]
    with pytest.raises(KeyError, match="unknown"):
        filled("{unknown}", VALUES)


def test_values_are_never_filled_themselves():
    assert filled("{a}", {"a": "{team}", "team": "x"}) == "{team}"


TREE = {
    "link": [{"relation": "self", "url": "s"}, {"relation": "next", "url": "n"}],
    "entry": [{"resource": {"id": "1", "n": None}}, {"resource": {"id": "2"}}, "odd"],
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("link[relation=next].url", ["n"]),
        ("entry[].resource.id", ["1", "2"]),
        ("entry[0].resource.id", ["1"]),
        ("entry[-2].resource.id", ["2"]),
        ("entry[resource.id=2].resource.id", ["2"]),
        ("entry[0].resource.n", [None]),
        ("entry[7].resource", []),
        ("entry.resource", []),
        ("nothing[].at.all", []),
    ],
)
def test_paths(path, values):
    assert found(TREE, path) == values


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("entry[0].resource.id", "1"),
        ("entry[0].resource.n", "null"),
        ("nothing", None),
        ("link[0].relation ~ e(.)f", "l"),
        ("link[0].relation ~ e(.)x", None),
    ],
)
def test_what_is_kept(path, value):
    assert kept(TREE, path) == value


def test_bodies():
    assert body_of(Request(url="x"), VALUES) is None
    form = Request(url="x", form={"user": "{team}", "b": "ä +&"})
    assert body_of(form, VALUES) == b"user=t%2F2&b=%C3%A4+%2B%26"
    assert body_of(Request(url="x", text="<{a}>"), VALUES) == b"<1>"
    packed = body_of(Request(url="x", json={"a": "{a}"}, gzip=True), VALUES)
    assert packed is not None
    assert json.loads(gzip.decompress(packed)) == {"a": "1"}


def test_base64_and_repetition():
    written = {
        "entry": [
            "first",
            {"$repeat": 2, "$of": {"url": "X/{n}"}},
            {"$repeat": "p,{team}", "$of": "{n}-{item}"},
            {"$repeat": "{a}", "$of": "once"},
        ],
        "data": {"$base64": [{"op": "add", "value": "{a}"}]},
        "plain": {"$base64": "{a}"},
    }
    body = json_of(written, VALUES)
    assert body["entry"] == ["first", {"url": "X/1"}, {"url": "X/2"}, "1-p", "2-t/2", "once"]
    assert json.loads(base64.b64decode(body["data"])) == [{"op": "add", "value": "1"}]
    assert base64.b64decode(body["plain"]) == b"1"


def bundle(*ids, **more):
    entries = [{"resource": {"resourceType": "Patient", "id": i}} for i in ids]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries, **more}


FINE = [Page(200, {"etag": 'W/"1"'}, bundle("a", "b", total=2)), Page(200, {}, bundle("c"))]


@pytest.mark.parametrize(
    ("answer", "pages", "said"),
    [
        ({}, FINE, None),
        ({"status": [401]}, FINE, "answered 200, not 401"),
        ({"resource": "Bundle", "bundle": "searchset"}, FINE, None),
        ({"resource": "Patient"}, FINE, "is Bundle, not Patient"),
        ({"resource": "Bundle"}, [Page(200)], "is no resource"),
        ({"bundle": "batch-response"}, FINE, "is a bundle of type searchset"),
        ({"has": ["Patient/c"], "lacks": ["Patient/d"]}, FINE, None),
        ({"has": ["Patient/{team}"]}, FINE, "Patient/t/2 is missing"),
        ({"lacks": ["Patient/c"]}, FINE, "Patient/c is there"),
        ({"only": ["Patient"]}, FINE, None),
        ({"only": ["Group"]}, FINE, "holds Patient"),
        ({"only": []}, FINE, "holds Patient"),
        ({"only": []}, [Page(200, {}, bundle())], None),
        ({"entries": 3}, FINE, None),
        ({"entries": 2}, FINE, "has 3 entries, not 2"),
        ({"values": {"total": "[0-9]+"}}, FINE[:1], None),
        ({"values": {"total": "{a}"}}, FINE[:1], "total is 2, not 1"),
        ({"values": {"entry[resource.id={letter}].resource.id": "b"}}, FINE[:1], None),
        ({"values": {"entry[resource.id={letter}].resource.id": "c"}}, FINE[:1], "is b, not c"),
        ({"values": {"link": "{dots}"}}, [Page(200, {}, {"link": "a.c"})], None),
        ({"values": {"link": "{dots}"}}, [Page(200, {}, {"link": "abc"})], "is abc"),
        ({"entries": "{team}"}, FINE, "has 3 entries, not t/2"),
        ({"values": {"total": "2"}}, FINE, "has no total"),
        ({"absent": ["link"]}, FINE, None),
        ({"absent": ["total"]}, FINE, "has total"),
        ({"headers": {"ETag": 'W/"\\d+"'}}, FINE[:1], None),
        ({"headers": {"ETag": "x"}}, FINE[:1], "its header ETag"),
        ({"headers": {"Location": ".*"}}, FINE[:1], "Location is None"),
        ({"pages": 2}, FINE, None),
        ({"pages": 3}, FINE, "came in 2 pages, not 3"),
        ({"pages": 1}, [*FINE, Page(200, {}, bundle("a"))], "Patient/a came twice"),
    ],
)
def test_what_is_judged(answer, pages, said):
    seen = problems(Answer.model_validate(answer), pages, VALUES)
    if said is None:
        assert seen == []
    else:
        assert said in "; ".join(seen)


def test_the_server_s_own_reason_is_shown():
    outcome = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "no role"}]}
    (seen,) = problems(Answer(), [Page(403, {}, outcome)], {})
    assert seen == "answered 403, not 200 (no role)"
    (seen,) = problems(Answer(), [Page(400, {}, {"error_description": "not set up"})], {})
    assert "not set up" in seen
