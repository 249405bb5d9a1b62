"""Resources that are odd: carried exactly where that can be, reported by id where it cannot."""

import json

import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from source_fhir import SourceFhir
from source_fhir_harness import Connector
from source_fhir_server import Server, stamp

META = '"meta":{"lastUpdated":"2026-01-01T00:00:07Z"}'


def patient(id: str, rest: str) -> str:
    return f'{{"resourceType":"Patient","id":"{id}",{META},{rest}}}'


EXACT = {
    "decimals": '"a":1.10,"b":0.000,"c":-0,"d":1e400,"e":100000000000000000000000000000001',
    "nulls": '"given":[null,"A"],"x":null,"_given":[{"extension":[]},null]',
    "texts": '"name":"Ünïcode → 中文 العربية 🇰🇪 \\u00e9 \\ud83d\\ude00"',
    "zero": '"note":"a\\u0000b"',
    "line separators": '"note":"a\u2028b\u0085c\\r\\n"',
    "duplicate keys": '"gender":"male","gender":"female"',
    "spaces": '"a" : [ 1 , 2 ] , "b" :{ }',
    "deep": '"x":' + "[" * 200 + "]" * 200,
}


@pytest.mark.parametrize("rest", EXACT.values(), ids=EXACT)
def test_a_resource_is_carried_byte_for_byte(
    server: Server, connector: Connector, rest: str
) -> None:
    text = patient("odd", rest)
    server.put("odd", 7, text=text)
    line = connector.read().line("odd")
    assert b'"resource":' + text.encode() + b',"_ab_cdc_deleted_at":null}}}' in line


REJECTED = {
    "deep": (patient("bad", '"x":' + "[" * 100_000 + "]" * 100_000), "bad", "too deeply"),
    "deep by a little": (patient("bad", '"x":' + "[" * 1_100 + "]" * 1_100), "bad", "too deeply"),
    "not UTF-8": (patient("bad", '"x":"caf\udce9"'), "bad", "UTF-8"),
    "raw line end in a text": (patient("bad", '"x":"a\nb"'), "bad", "not valid JSON"),
    "bad number": (patient("bad", '"x":01'), "bad", "not valid JSON"),
    "no id": (f'{{"resourceType":"Patient",{META}}}', None, "no id"),
    "null id": (f'{{"resourceType":"Patient","id":null,{META}}}', None, "no id"),
    "number as id": (f'{{"resourceType":"Patient","id":5,{META}}}', None, "head is not valid"),
    "not an object": ("[1,2]", None, "head is not valid"),
    "null": ("null", None, "no resource"),
}


@pytest.mark.parametrize(("text", "id", "reason"), REJECTED.values(), ids=REJECTED)
def test_a_resource_that_cannot_be_carried_is_reported_and_the_others_are(
    server: Server, connector: Connector, text: str, id: str | None, reason: str
) -> None:
    server.put("before", 6)
    server.put("bad", 7, text=text)
    server.put("after", 8)
    result = connector.read(max_attempts=2)
    assert result.ids() == ["before", "after"]
    (told,) = result.rejected()
    assert (told["stream"], told["id"]) == ("patient", id)
    assert reason in told["reason"]
    assert f"GET {server.base}/Patient?" in told["reason"]
    assert reason in result.log


def test_an_entry_without_a_resource_is_reported(server: Server, connector: Connector) -> None:
    server.put("a", 1)
    server.state.extra_entries = ['{"fullUrl":"x"}', "null"]
    result = connector.read()
    assert result.ids() == ["a"]
    assert [x["id"] for x in result.rejected()] == [None, None]


def test_entries_of_other_types_stay_out_of_the_stream(
    server: Server, connector: Connector
) -> None:
    server.put("a", 1)
    server.state.extra_entries = [
        '{"resource":{"resourceType":"OperationOutcome","id":"o"},"search":{"mode":"outcome"}}',
        '{"resource":{"resourceType":"Group","id":"g"},"search":{"mode":"include"}}',
    ]
    result = connector.read()
    assert result.ids() == ["a"]
    assert result.rejected() == []
    told = "WARN Patient: entries of other types are left out: Group, OperationOutcome"
    assert told in result.log


@pytest.mark.parametrize("meta", ["", ',"meta":{}', ',"meta":null', ',"meta":{"lastUpdated":null}'])
def test_a_resource_without_a_time_is_carried(
    server: Server, connector: Connector, meta: str
) -> None:
    server.put("a", 1)
    server.put("timeless", 2, text=f'{{"resourceType":"Patient","id":"timeless"{meta}}}')
    result = connector.read()
    assert [x["last_updated"] for x in result.records()] == [stamp(1), None]
    assert result.cursors()[-1] == stamp(1.001)


@pytest.mark.parametrize(
    "date", ["", "yesterday", "2026-02-30T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00", "9" * 40]
)
def test_a_bad_date_becomes_null_and_the_record_tells(
    server: Server, connector: Connector, date: str
) -> None:
    server.put("a", 1)
    text = f'{{"resourceType":"Patient","id":"b","meta":{{"lastUpdated":"{date}"}}}}'
    server.put("b", 1, text=text)
    result = connector.read()
    record = next(x for x in result.of("RECORD") if x["data"]["id"] == "b")
    assert record["data"]["last_updated"] is None
    assert record["data"]["resource"]["meta"]["lastUpdated"] == date
    (change,) = record["meta"]["changes"]
    assert (change["field"], change["change"]) == ("last_updated", "NULLED")
    assert result.cursors()[-1] == stamp(1.001)


def test_a_date_in_the_future_does_not_take_the_cursor_along(
    server: Server, connector: Connector
) -> None:
    server.put("a", "9999-12-31T23:59:59.999-11:00")
    first = connector.read()
    server.put("b", server.state.now)
    assert "b" in connector.read(state=first.state).ids()


def test_a_byte_order_mark_is_left_out(server: Server, connector: Connector) -> None:
    entry = b'{"resource":{"resourceType":"Patient","id":"a"}}'
    body = b'\xef\xbb\xbf{"resourceType":"Bundle","entry":[%s]}' % entry
    server.fault(lambda h: h.answer(200, body))
    assert connector.read().ids() == ["a"]


def test_zones_other_than_utc_are_compared_as_moments(server: Server, connector: Connector) -> None:
    server.put("a", "2026-01-01T03:00:10+03:00")
    server.put("b", "2025-12-31T19:00:20.5-05:00")
    result = connector.read()
    assert result.ids() == ["a", "b"]
    assert result.cursors()[-1] == stamp(20.501)


def test_the_standard_entry_point_sees_ordinary_messages(
    server: Server, connector: Connector
) -> None:
    """Anything built on the CDK may take the messages as objects."""
    server.put("a", 1, gender="male")
    connector.config["resource_types"] = ["Patient"]
    arguments = connector.arguments("read", ("patient",), None, "incremental")
    texts = list(AirbyteEntrypoint(SourceFhir()).run(AirbyteEntrypoint.parse_args(arguments)))
    (record,) = [json.loads(x)["record"] for x in texts if '"RECORD"' in x]
    assert record["data"]["resource"]["gender"] == "male"
