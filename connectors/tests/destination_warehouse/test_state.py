"""A state is passed on, as it is, once everything before it is committed."""

import json

import msgspec
from destination_warehouse import DestinationWarehouse
from destination_warehouse.messages import with_destination_stats
from destination_warehouse.settings import Settings


def test_states_follow_commits(site, make, read):
    site.options = {"batch_rows": 3}
    lines = []
    for number in range(10):
        lines += [make.record(f"p{number}"), make.state(number)]
    seen = []
    for message in site.writing(lines):
        if message["type"] == "STATE":
            seen.append(message["state"]["stream"]["stream_state"]["n"])
            assert message["state"]["destinationStats"] == {"recordCount": 1.0}
            assert {f"p{n}" for n in seen} <= site.ids()
    assert seen == list(range(10))


def test_a_state_keeps_every_digit_and_unknown_keys():
    line = (
        b'{"type":"STATE","state":{"id":12345678901234567890123,"type":"STREAM",'
        b'"stream":{"stream_descriptor":{"name":"p"},"stream_state":{"x":1.10}},"sourceStats":'
        b'{"recordCount":3.0}},"extra":[1.0]}'
    )
    out = with_destination_stats(line, 3)
    assert b'"id":12345678901234567890123,' in out
    assert b'"x":1.10' in out
    assert b'"extra":[1.0]' in out
    assert json.loads(out)["state"]["destinationStats"] == {"recordCount": 3.0}


def test_counts_are_of_the_stream(site, make):
    lines = [make.record("a"), make.record("b"), make.record("e", stream="encounter")]
    lines += [make.state(1, "encounter"), make.record("c"), make.state(2, "patient")]
    messages = site.write(lines, make.catalog("patient", "encounter"))
    counts = [
        (m["state"]["stream"]["stream_state"]["n"], m["state"]["destinationStats"]["recordCount"])
        for m in messages
        if m["type"] == "STATE"
    ]
    assert counts == [(1, 1), (2, 3)]


def test_a_torn_last_line_is_no_record(site, make, read):
    messages = site.write([make.record("a"), make.state(1), make.record("b")[:90] + make.torn])
    assert read.states(messages) == [1]
    assert site.ids() == {"a"}
    assert site.query("SELECT * FROM {}.rejected_records") == []


def test_the_specification_is_the_settings():
    """Every setting is described, with the default that is in force."""
    described = DestinationWarehouse().spec(None).connectionSpecification["properties"]
    fields = {f.name: f.default for f in msgspec.structs.fields(Settings)}
    assert set(described) == set(fields)
    for name, default in fields.items():
        if "default" in described[name]:
            assert described[name]["default"] == default
