"""What arrives is what the tables hold."""

import json
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
from airbyte_cdk.models import AirbyteMessageSerializer, ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from destination_warehouse import DestinationWarehouse
from destination_warehouse.naming import table_name


def test_a_record_lands_with_its_metadata(site, make, read):
    catalog = make.catalog(make.stream("patient", sync_id=7))
    resource = {"resourceType": "Patient", "id": "a", "name": [{"family": 'Ünal \\ "x"\t'}]}
    messages = site.write([make.record("a", resource), make.state(1)], catalog)
    [row] = site.query(
        "SELECT id, resource, _airbyte_raw_id::uuid IS NOT NULL,"
        " extract(epoch FROM _airbyte_extracted_at) * 1000, _airbyte_meta FROM {}.patient"
    )
    assert row == ("a", resource, True, 1_767_225_600_000, {"sync_id": 7, "changes": []})
    assert read.states(messages) == [1]
    assert read.loaded(messages) == {
        "written": 1, "unchanged": 0, "deleted": 0, "rejected": 0,
        "bytes": len(json.dumps(resource)),
    }  # fmt: skip


def test_decimals_keep_their_digits(site, make):
    site.write([make.record("a", '{"v": 1.50, "big": 123456789012345678901234567890.10}')])
    [(small, big)] = site.query("SELECT resource->>'v', resource->>'big' FROM {}.patient")
    assert (small, Decimal(big)) == ("1.50", Decimal("123456789012345678901234567890.10"))
    site.write([make.record("a", '{"v": 1.5}')])
    assert site.query("SELECT resource->>'v' FROM {}.patient") == [("1.5",)]


def test_an_unchanged_resource_keeps_its_row(site, make, read):
    site.write([make.record("a", {"x": 1}), make.record("b", {"x": 1})])
    before = site.query("SELECT id, ctid, xmin::text, xmax::text, _airbyte_raw_id FROM {}.patient")
    lines = [
        make.record("a", '{ "x":1 }', at=1_767_300_000_000),
        make.record("b", {"x": 2}, at=1_767_300_000_000),
    ]
    messages = site.write(lines)
    after = site.query("SELECT id, ctid, xmin::text, xmax::text, _airbyte_raw_id FROM {}.patient")
    assert [row for row in after if row[0] == "a"] == [row for row in before if row[0] == "a"]
    times = dict(site.query("SELECT id, _airbyte_extracted_at::text FROM {}.patient"))
    assert times["a"] < times["b"]
    assert read.loaded(messages)["unchanged"] == read.loaded(messages)["written"] == 1


def test_the_last_message_of_an_id_wins(site, make):
    lines = [
        make.record("a", {"x": 1}),
        make.record("a", {"x": 2}),
        make.deletion("b"),
        make.record("b", {"x": 3}),
        make.record("c", {"x": 4}),
        make.deletion("c"),
    ]
    site.write(lines)
    found = dict(site.query("SELECT id, resource->>'x' FROM {}.patient"))
    assert found == {"a": "2", "b": "3"}
    for batch in (lines[::2], lines[1::2]):
        site.options = {"batch_rows": 1}
        site.write(batch)
    assert dict(site.query("SELECT id, resource->>'x' FROM {}.patient")) == {"a": "2", "b": "3"}


def test_names_that_need_quoting(site, make):
    names = ["group", 'x"; DROP SCHEMA public; --', "QuestionnaireResponse", "é" * 3 + "a" * 99]
    catalog = {"streams": [make.stream(name) for name in names]}
    lines = []
    for name in names:
        line = json.loads(make.record("a"))
        line["record"]["stream"] = name
        lines.append(json.dumps(line).encode())
    site.write(lines, catalog)
    for name in names:
        assert site.ids(table_name(name)) == {"a"}
        assert len(table_name(name).encode()) <= 63
    assert table_name("QuestionnaireResponse") == "questionnaire_response"
    assert table_name("a" * 64) != table_name("a" * 65)


def test_tables_are_made_at_the_start_and_completed(site, make):
    site.write([], make.catalog("patient", "encounter", "resource_ids"))
    tables = {
        row[0]
        for row in site.query(
            "SELECT relname FROM pg_class c WHERE relkind = 'r' AND relnamespace = %s::regnamespace"
            " AND '{}' <> ''",
            site.schema,
        )
    }
    assert tables == {
        "patient", "encounter", "rejected_records", "_airbyte_id_lists", "_airbyte_refreshes",
    }  # fmt: skip
    site.execute("DROP TABLE {}.patient")
    site.execute("CREATE TABLE {}.patient (id text, resource jsonb, extra int)")
    site.execute("INSERT INTO {}.patient VALUES ('old', '{{}}', 1)")
    site.write([make.record("a")])
    assert site.ids() == {"old", "a"}
    indexes = site.query(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = %s AND tablename = 'patient'"
        " AND '{}' <> ''",
        site.schema,
    )
    assert sum("_airbyte_extracted_at" in row[0] for row in indexes) == 1
    assert sum("UNIQUE" in row[0] for row in indexes) == 1


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("CREATE TABLE {}.patient (id text, resource text)", "is text, not jsonb"),
        ("CREATE VIEW {}.patient AS SELECT 1", "is not a table"),
        ("CREATE TABLE {}.patient AS SELECT 'a' AS id, '1'::jsonb AS resource FROM (VALUES (1),"
         " (2)) v", "several rows of one id"),
        ("CREATE TABLE {}.patient AS SELECT 'a' AS id", "has rows but no column resource"),
    ],
)  # fmt: skip
def test_a_table_of_another_shape_is_refused_with_a_remedy(site, make, table, said):
    site.execute("CREATE SCHEMA {}")
    site.execute(table)
    with pytest.raises(AirbyteTracedException, match=said) as caught:
        site.write([make.record("a")])
    assert "next run makes" in str(caught.value)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["Patient", "patient"], "would land in the table 'patient'"),
        (["rejected_records"], "this destination itself"),
        (["_airbyte_refreshes"], "reserved"),
        (["¿?"], "no letter or digit"),
    ],
)
def test_a_catalogue_that_cannot_be_landed_is_refused(site, make, names, said):
    with pytest.raises(AirbyteTracedException, match=said):
        site.write([], make.catalog(*names))


def test_a_stream_without_resource_is_refused(site, make):
    catalog = make.catalog(make.stream("users", properties={"name": {}}))
    with pytest.raises(AirbyteTracedException, match="no property `resource`"):
        site.write([], catalog)


def test_messages_of_the_cdk_take_the_same_path(site, make, read):
    catalog = ConfiguredAirbyteCatalogSerializer.load(make.catalog("patient"))
    lines = [make.record("a", {"x": 1}), make.state(5), make.deletion("b")]
    messages = [AirbyteMessageSerializer.load(json.loads(line)) for line in lines]
    out = DestinationWarehouse().write(site.config, catalog, messages)
    dumped = [AirbyteMessageSerializer.dump(message) for message in out]
    assert site.query("SELECT id, resource FROM {}.patient") == [("a", {"x": 1})]
    assert read.states(dumped) == [5]


def test_large_and_small_resources_together(site, make):
    """A resource of several megabytes leaves and arrives whole, and so do its neighbours."""
    text = "x" * 3_000_000 + "\\n" + "y" * 2_500_000
    lines = [make.record("a"), make.record("big", {"text": text}), make.record("b")]
    site.options = {"batch_bytes": 65_536}
    site.write(lines)
    assert site.ids() == {"a", "b", "big"}
    [(found,)] = site.query("SELECT resource->>'text' FROM {}.patient WHERE id = 'big'")
    assert found == text


def test_memory_stays_small_whatever_comes(site, make):
    """Records up to the limit, full of escapes or of NUL, and one of a hundred times the limit."""
    text = 12_000_000
    lines = [
        make.record("plain", '{"x": "%s"}' % ("x" * text)),
        make.record("escapes", '{"x": "%s"}' % (r"\n" * (text // 2))),
        make.record("nul", '{"x": "%s"}' % (r"\u0000" * (text // 6))),
        make.record("huge", '{"x": "%s"}' % ("x" * 60_000_000)),
        *(make.record(f"p{n}", {"x": "y" * 4_000}) for n in range(3_000)),
    ]
    with site.start(make.catalog("patient"), subprocess.PIPE) as process:
        for line in [*lines, make.state(1)]:
            process.stdin.write(line + b"\n")
        process.stdin.flush()
        while b'"STATE"' not in process.stdout.readline():
            assert process.poll() is None
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.stdin.close()
        process.stdout.read()
    assert process.returncode == 0
    assert site.ids() == {"plain", "escapes", "nul", *(f"p{n}" for n in range(3_000))}
    [peak] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    assert int(peak) < 120 * 1024


@pytest.mark.parametrize("later", [1_767_225_600_000, 1_767_225_500_000, 1_767_225_700_000])
def test_a_new_version_has_another_moment_whatever_the_clock_says(site, make, later):
    """By id and moment the tables made of this one know what they have seen."""
    moments = "SELECT _airbyte_extracted_at FROM {}.patient"
    site.write([make.record("a", {"x": 1})])
    [first] = site.query(moments)
    site.write([make.record("a", {"x": 2}, at=later)])
    [second] = site.query(moments)
    site.write([make.record("a", {"x": 3}, at=later)])
    [third] = site.query(moments)
    assert len({first, second, third}) == 3


def test_the_index_of_an_earlier_version_is_replaced(site, make):
    names = (
        "SELECT indexdef FROM pg_indexes WHERE tablename = 'patient' AND schemaname = %s"
        " AND indexdef LIKE '%%(_airbyte_extracted_at%%' ORDER BY 1"
    )
    site.write([make.record("a")])
    [(made,)] = site.query(names, site.schema)
    assert made.endswith("(_airbyte_extracted_at, id)")
    site.execute("DROP INDEX {}.patient__airbyte_extracted_at_id_idx")
    site.execute("CREATE INDEX old ON {}.patient (_airbyte_extracted_at)")
    site.execute("CREATE INDEX own ON {}.patient (_airbyte_extracted_at) WHERE id = 'a'")
    site.write([make.record("b")])
    found = [text for (text,) in site.query(names, site.schema)]
    assert [text.split(" btree ")[1] for text in found] == [
        "(_airbyte_extracted_at) WHERE (id = 'a'::text)",
        "(_airbyte_extracted_at, id)",
    ]
