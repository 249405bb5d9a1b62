"""Sweeps and full refreshes remove what the source no longer has, and nothing else."""

import pytest
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

BEFORE = 1_767_225_600_000  # a month before the sweeps of make.sweep begin
SINCE = 1_772_323_200_000


def test_a_sweep_deletes_what_no_list_names(site, make, read):
    catalog = make.catalog("patient", make.stream("resource_ids", properties={"ids": {}}))
    lines = [make.record(key) for key in "abcd"] + [make.record("new", at=SINCE)]
    site.write(lines, catalog)
    messages = site.write([make.sweep(["a"], last=False), make.state(1, "resource_ids")], catalog)
    assert site.ids() == {"a", "b", "c", "d", "new"}
    assert read.states(messages) == [1]
    messages = site.write([make.sweep(["b"], last=True), make.state(2, "resource_ids")], catalog)
    assert site.ids() == {"a", "b", "new"}
    assert read.states(messages) == [2]
    assert read.loaded(messages)["deleted"] == 2
    assert site.query("SELECT * FROM {}._airbyte_id_lists") == []


def test_a_sweep_applies_in_the_order_of_messages(site, make):
    catalog = make.catalog("patient", "resource_ids")
    lines = [make.record("a"), make.record("b"), make.sweep(["a"], last=True), make.record("c")]
    site.write(lines, catalog)
    assert site.ids() == {"a", "c"}


def test_lists_of_another_sweep_do_not_count(site, make):
    catalog = make.catalog("patient", "resource_ids")
    lines = [make.record("a"), make.record("b"), make.sweep(["b"], last=False, run="left")]
    site.write([*lines, make.sweep(["a"], last=True, run="new")], catalog)
    assert site.ids() == {"a"}
    assert site.query("SELECT * FROM {}._airbyte_id_lists") == []


def test_a_sweep_of_nothing_empties_a_small_table(site, make):
    catalog = make.catalog("patient", "resource_ids")
    site.write([make.record("a"), make.sweep([], last=True)], catalog)
    assert site.ids() == set()


def test_a_large_sweep_is_refused_unless_it_is_allowed(site, make, read):
    catalog = make.catalog("patient", "resource_ids")
    keys = [f"p{n}" for n in range(1_100)]
    site.write([make.record(key) for key in keys], catalog)
    lines = [make.sweep(keys[:500], last=True), make.state(1, "resource_ids"), make.record("z")]
    lines += [make.state(2)]
    with pytest.raises(AirbyteTracedException, match=r"delete 600 of 1100 .*allow_large_sweeps"):
        site.write(lines, catalog)
    assert len(site.ids()) == 1_101
    site.options = {"allow_large_sweeps": True}
    messages = site.write(lines[:2], catalog)
    assert site.ids() == {*keys[:500]}
    assert read.states(messages) == [1]


def test_the_state_of_a_refused_sweep_is_held_back(site, make, read):
    catalog = make.catalog("patient", "resource_ids")
    site.write([make.record(f"p{n}") for n in range(1_100)], catalog)
    lines = [make.sweep([], last=True), make.state(1, "resource_ids"), make.state(2)]
    seen = []
    with pytest.raises(AirbyteTracedException):
        seen.extend(site.writing(lines, catalog))
    assert read.states(seen) == [2]


@pytest.mark.parametrize("broken", [b'"ids": "no list"', b'"ids": [1]', b'"ids": ["a'])
def test_a_sweep_with_a_broken_part_deletes_nothing(site, make, broken):
    catalog = make.catalog("patient", "resource_ids")
    lines = [make.record(key) for key in "ab"]
    part = make.sweep(["a"], last=False).replace(b'"ids": ["a"]', broken)
    with pytest.raises(AirbyteTracedException, match="deleted nothing"):
        site.write([*lines, part, make.sweep(["b"], last=True)], catalog)
    assert site.ids() == {"a", "b"}


def test_a_sweep_of_an_unknown_type_is_reported(site, make):
    catalog = make.catalog("encounter", "resource_ids")
    site.write([make.sweep(["a"], last=True)], catalog)
    [row] = site.query("SELECT stream, reason FROM {}.rejected_records")
    assert row == ("resource_ids", "unknown stream")


def refresh(make, number, mode="append_dedup"):
    stream = make.stream("patient", mode, generation_id=number, minimum_generation_id=number)
    return make.catalog(stream)


def test_a_full_refresh_removes_at_its_end_only(site, make, read):
    site.write([make.record(key) for key in "abc"])
    before = site.query("SELECT id, ctid, xmin::text FROM {}.patient WHERE id = 'a'")
    site.write([make.record("a"), make.state(1)], refresh(make, 2))
    assert site.ids() == {"a", "b", "c"}
    # another process goes on with the same generation, from the state
    messages = site.write([make.record("d"), make.status("COMPLETE"), make.state(2)],
                          refresh(make, 2))  # fmt: skip
    assert site.ids() == {"a", "d"}
    assert read.loaded(messages)["deleted"] == 2
    assert site.query("SELECT id, ctid, xmin::text FROM {}.patient WHERE id = 'a'") == before


def test_a_full_refresh_that_begins_anew_forgets_what_was_seen(site, make):
    site.write([make.record(key) for key in "abc"])
    site.write([make.record("a")], refresh(make, 2))
    site.write([make.record("b"), make.status("COMPLETE")], refresh(make, 3))
    assert site.ids() == {"b"}


def test_a_complete_generation_is_not_completed_twice(site, make):
    """The platform repeats a sync for a stream that failed; the others are complete already."""
    site.write([make.record("a"), make.status("COMPLETE")], refresh(make, 2))
    site.write([make.status("COMPLETE")], refresh(make, 2))
    assert site.ids() == {"a"}


def test_an_incomplete_refresh_removes_nothing(site, make):
    site.write([make.record("a")])
    site.write([make.record("b"), make.status("INCOMPLETE")], refresh(make, 2))
    assert site.ids() == {"a", "b"}


def test_a_rejected_resource_was_seen(site, make):
    site.write([make.record("a"), make.record("b"), make.record("c")])
    bad = make.record("a", '{"v": 1e200000}')
    unread = make.record("b", '{"x": 01}')
    site.write([bad, unread, make.status("COMPLETE")], refresh(make, 2))
    assert site.ids() == {"a", "b"}


def test_overwrite_without_generations_is_a_refresh_of_one_run(site, make):
    catalog = make.catalog(make.stream("patient", "overwrite"))
    site.write([make.record("a"), make.record("b"), make.status("COMPLETE")], catalog)
    site.write([make.record("b")], catalog)
    assert site.ids() == {"a", "b"}
    site.write([make.record("c"), make.status("COMPLETE")], catalog)
    assert site.ids() == {"c"}


def test_a_refresh_that_would_lose_most_is_refused(site, make):
    site.write([make.record(f"p{n}") for n in range(1_100)])
    with pytest.raises(AirbyteTracedException, match="the full refresh of"):
        site.write([make.status("COMPLETE")], refresh(make, 2))
    assert len(site.ids()) == 1_100
    site.options = {"allow_large_sweeps": True}
    site.write([make.record("p1"), make.status("COMPLETE")], refresh(make, 2))
    assert site.ids() == {"p1"}


def test_what_was_stamped_while_a_clock_was_ahead_can_go(site, make):
    catalog = make.catalog("patient", "resource_ids")
    ahead = 7_226_582_400_000  # the year 2199
    lines = [make.record("stays", at=ahead), make.record("goes", at=ahead)]
    site.write([*lines, make.record("new", at=SINCE), make.sweep(["stays"], last=True)], catalog)
    assert site.ids() == {"stays", "new"}
