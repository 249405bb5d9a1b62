"""What jsonb cannot hold never fails a batch, and is never dropped silently."""

import json
import logging

import pytest

REJECTED = "SELECT stream, id, reason FROM {}.rejected_records ORDER BY 1, 2"


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ('{"v": 1e200000}', "number out of range"),
        ('{"x": ' + "[" * 900 + "]" * 900 + "}", None),
        ('{"x": ' + "[" * 60_000 + "]" * 60_000 + "}", "invalid message"),
        ('{"x": "\\ud800"}', "invalid message"),
        ('{"x": "\\ud800 and more text"}', "invalid message"),
        ('{"x": "\\udc00 and more text"}', "invalid message"),
        ('{"x": 01}', "invalid message"),
        ("[1]", "no resource"),
        ("null", "no resource"),
        ('"text"', "no resource"),
    ],
)
def test_one_bad_resource(site, make, read, resource, reason):
    lines = [make.record(f"p{n}") for n in range(20)]
    lines.insert(7, make.record("bad", resource))
    messages = site.write([*lines, make.state(1)])
    assert read.states(messages) == [1]
    carried = {f"p{n}" for n in range(20)}
    assert site.ids() == (carried if reason else carried | {"bad"})
    found = site.query(REJECTED)
    assert [row[:2] for row in found] == ([("patient", "bad")] if reason else [])
    assert read.loaded(messages)["rejected"] == (1 if reason else 0)


def test_bad_utf8_and_huge_numbers_are_found_by_halving(site, make, read):
    """Both are seen by PostgreSQL only; the good ones around them are all carried."""
    site.execute("CREATE SCHEMA {}")
    lines = [make.record(f"p{n}") for n in range(3_000)]
    lines[1_234] = make.record("utf8", {"x": "?"}).replace(b'"?"', b'"\xff"')
    lines[2_345] = make.record("number", '{"v": 1e131073}')
    lines[2_346] = make.record("number2", '{"v": -1e131073}')
    site.write(lines)
    assert len(site.ids()) == 2_997
    assert site.query(REJECTED) == [
        ("patient", "number", "number out of range"),
        ("patient", "number2", "number out of range"),
        ("patient", "utf8", "invalid UTF-8"),
    ]


def test_a_batch_of_nothing_but_bad(site, make):
    site.write([make.record(f"p{n}", '{"v": 1e200000}') for n in range(100)])
    assert site.ids() == set()
    assert len(site.query(REJECTED)) == 100


@pytest.mark.parametrize(
    ("text", "held"),
    [
        (r"a\u0000b", "a\ufffdb"),
        (r"\u0000\u0000", "\ufffd\ufffd"),
        (r"\\\u0000", "\\\ufffd"),
        (r"\\u0000", r"\u0000"),
        (r"\\\\u0000", r"\\u0000"),
        (r"\\u0000\u0000", "\\u0000\ufffd"),
        (r"\"\u0000", '"\ufffd'),
        (r"\u00000", "\ufffd0"),
    ],
)
def test_the_character_nul(site, make, read, text, held):
    messages = site.write([make.record("a", f'{{"x": "{text}"}}')])
    [(found, meta)] = site.query("SELECT resource->>'x', _airbyte_meta FROM {}.patient")
    assert found == held
    replaced = "\ufffd" in held
    assert [change["field"] for change in meta["changes"]] == ["resource"] * replaced
    assert site.query(REJECTED) == [("patient", "a", "character U+0000")] * replaced
    assert read.loaded(messages)["rejected"] == int(replaced)
    site.write([make.record("a", {"x": "well"})])
    assert site.query(REJECTED) == []
    assert site.query("SELECT _airbyte_meta->'changes' FROM {}.patient") == [([],)]


def test_a_rejected_record_goes_when_its_id_is_carried(site, make):
    bad = make.record("a", '{"v": 1e200000}')
    site.write([make.record("a", {"x": 1}), bad])
    assert site.ids() == set()
    [before] = site.query("SELECT first_seen, last_seen FROM {}.rejected_records")
    site.write([bad])
    [after] = site.query("SELECT first_seen, last_seen FROM {}.rejected_records")
    assert (after[0], after[1] > before[1]) == (before[0], True)
    site.write([bad, make.record("a", {"x": 1})])
    assert (site.ids(), site.query(REJECTED)) == ({"a"}, [])
    site.write([bad])
    assert (site.ids(), len(site.query(REJECTED))) == ({"a"}, 1)
    site.write([make.deletion("a")])
    assert (site.ids(), site.query(REJECTED)) == (set(), [])


def test_records_nobody_can_place(site, make, read):
    lines = [
        make.record(None),
        make.record(5),
        make.record("a\0b"),
        make.record("x" * 300),
        make.record("a", stream="other"),
        b"a line of text",
        b'{"type": "LOG", "log": {"level": "INFO", "message": "\\u0000"}}',
        b"\xff\xfe",
        b'{"type": "SOMETHING"}',
        make.record("b"),
        make.state(1),
    ]
    messages = site.write(lines)
    assert site.ids() == {"b"}
    assert read.states(messages) == [1]
    found = site.query(REJECTED)
    assert [(stream, reason) for stream, _, reason in found if stream == "other"] == [
        ("other", "unknown stream")
    ]
    assert sorted(reason for stream, _, reason in found if stream == "patient") == [
        "bad id", "bad id", "invalid message", "no id",
    ]  # fmt: skip


def test_a_record_that_is_too_large(site, make):
    site.options = {"max_record_bytes": 65_536}
    line = make.record("big", {"text": "x" * 1_000_000})
    site.write([make.record("a"), line, make.record("b"), line[:-70] + make.torn])
    assert site.ids() == {"a", "b"}
    assert site.query(REJECTED) == [("patient", "big", "too large")]


def test_what_the_source_changed_is_kept(site, make):
    line = json.loads(make.record("a"))
    change = {"field": "name", "change": "NULLED", "reason": "SOURCE_RETRIEVAL_ERROR"}
    line["record"]["meta"] = {"changes": [change]}
    site.write([json.dumps(line).encode()])
    assert site.query("SELECT _airbyte_meta->'changes' FROM {}.patient") == [([change],)]


def test_a_rejected_record_is_named_once(site, make, caplog):
    caplog.set_level(logging.WARNING, logger="airbyte")
    long = "x" * 300
    bad = [make.record(key, '{"v": 1e200000}') for key in ("a", "b")] + [make.record(long)]
    site.write([*bad, make.record("good")])
    told = [record.getMessage() for record in caplog.records]
    assert sorted(told)[:2] == [
        "patient/a is rejected: number out of range",
        "patient/b is rejected: number out of range",
    ]
    assert len(told) == 3
    caplog.clear()
    site.write([*bad, make.record("good")])
    assert caplog.records == []
    assert len(site.query(REJECTED)) == 3
    site.write([make.record("a", "[1]")])
    told = [record.getMessage() for record in caplog.records]
    assert told == ["patient/a is rejected: no resource"]


@pytest.mark.parametrize(
    ("stream", "key"),
    [
        ("patient", "x" * 100_000),
        ("patient", "\U0001f600" * 9_000),
        ("other" * 2_000, "\U0001f600" * 250),
        ("\U0001f600" * 300, "\U0001f600" * 300),
        ("patient", "a\0" * 5_000),
    ],
    ids=["letters", "signs", "stream", "both", "nul"],
)
def test_a_name_of_any_length_is_kept(site, make, stream, key):
    line = json.loads(make.record("a", {"x": 1}))
    line["record"]["stream"], line["record"]["data"]["id"] = stream, key
    site.write([json.dumps(line).encode(), make.record("good")])
    assert site.ids() == {"good"}
    assert len(site.query(REJECTED)) == 1
