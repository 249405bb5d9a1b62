"""Reading, paging and resuming, against a server that does nothing wrong."""

import json
import re

from source_fhir_harness import Connector
from source_fhir_server import Server, stamp, status


def test_all_pages_are_read_by_the_servers_links(server: Server, connector: Connector) -> None:
    server.fill(37)
    result = connector.read()
    assert result.ids() == [f"p{n:05d}" for n in range(37)]
    assert len([x for x in server.state.requests if "_getpages" in x]) == 3
    assert server.state.requests[0] == (
        "/fhir/Patient?_sort=_lastUpdated&_count=10&_total=none&_pretty=false"
    )
    assert result.statuses("patient") == ["STARTED", "RUNNING", "COMPLETE"]


def test_record_has_the_fields_of_the_stream(server: Server, connector: Connector) -> None:
    server.put("a", 5, gender="female")
    (record,) = connector.read().records()
    assert record == {
        "id": "a",
        "resource_type": "Patient",
        "last_updated": stamp(5),
        "resource": {
            "resourceType": "Patient",
            "id": "a",
            "meta": {"versionId": "1", "lastUpdated": stamp(5)},
            "gender": "female",
        },
        "_ab_cdc_deleted_at": None,
    }


def test_streams_have_names_in_snake_case(server: Server, connector: Connector) -> None:
    server.put("q", 1, "QuestionnaireResponse")
    (record,) = connector.read("questionnaire_response").records("questionnaire_response")
    assert record["resource_type"] == "QuestionnaireResponse"


def test_a_quiet_store_gives_an_empty_increment(server: Server, connector: Connector) -> None:
    server.fill(25)
    first = connector.read()
    second = connector.read(state=first.state)
    third = connector.read(state=second.state)
    assert (second.records(), third.records()) == ([], [])
    assert second.cursors()[-1] == third.cursors()[-1] == stamp(24.001)


def test_an_increment_has_what_changed(server: Server, connector: Connector) -> None:
    server.fill(25)
    first = connector.read()
    server.put("p00003", 30)
    server.put("new", 31)
    second = connector.read(state=first.state)
    assert second.ids() == ["p00003", "new"]


def test_a_commit_that_comes_late_is_read_by_the_next_run(
    server: Server, connector: Connector
) -> None:
    """Its lastUpdated is older than what was read, and it shows only after the search began."""
    server.state.now = 1000
    server.put("early", 900)
    server.put("seen", 995)
    first = connector.read()
    assert stamp(820) < (first.cursors()[-1] or "") <= stamp(880)
    server.put("late", 990)
    server.state.now = 1300
    second = connector.read(state=first.state)
    assert "late" in second.ids()
    assert connector.read(state=second.state).records() == []


def test_a_late_commit_is_read_from_any_state_in_the_middle(
    server: Server, connector: Connector
) -> None:
    server.state.now = 1000
    for number in range(800, 1000, 10):
        server.put(f"p{number}", number)
    states = connector.read(page_size=3).of("STATE")
    server.put("late", 921)
    assert len(states) == 4
    for state in states:
        assert "late" in connector.read(state=[state]).ids()


def test_the_servers_clock_counts_and_not_this_machines(
    server: Server, connector: Connector
) -> None:
    server.state.last_updated_of_bundle = False
    server.state.now = 500
    server.put("a", 499)
    (cursor,) = connector.read(overlap_seconds=60).cursors()
    assert stamp(380) < (cursor or "") <= stamp(440)


def test_a_search_served_from_a_cache_counts_from_when_it_was_made(
    server: Server, connector: Connector
) -> None:
    server.put("a", 999_999)
    bundle = {
        "resourceType": "Bundle",
        "meta": {"lastUpdated": stamp(999_000)},
        "entry": [{"resource": json.loads(server.state.resources["Patient"]["a"].text)}],
    }
    server.fault(lambda h: h.answer(200, json.dumps(bundle)))
    assert connector.read().cursors()[-1] == stamp(999_000 - 120)


def test_each_page_has_a_state_from_which_the_rest_is_read(
    server: Server, connector: Connector
) -> None:
    server.fill(45)
    result = connector.read()
    everything = result.ids()
    seen: set[str] = set()
    states = 0
    for message in result.messages:
        if message["type"] == "RECORD":
            seen.add(message["record"]["data"]["id"])
        if message["type"] == "STATE":
            states += 1
            rest = connector.read(state=[message["state"]]).ids()
            assert seen | set(rest) == set(everything)
            assert len(rest) <= len(everything) - len(seen) + 1
    assert states == 5


def test_resources_of_one_transaction_are_not_parted_by_a_state(
    server: Server, connector: Connector
) -> None:
    for number in range(35):
        server.put(f"p{number}", 7)
    result = connector.read()
    middle = result.of("STATE")[0]
    assert middle != result.of("STATE")[-1]
    assert set(connector.read(state=[middle]).ids()) == set(result.ids())


def test_states_tell_how_many_records_they_cover(server: Server, connector: Connector) -> None:
    server.fill(25)
    counts = [x["sourceStats"]["recordCount"] for x in connector.read().of("STATE")]
    assert counts == [10, 10, 5]


def test_an_unsorted_server_is_read_but_only_the_last_state_advances(
    server: Server, connector: Connector
) -> None:
    server.state.sorts = False
    for number in (5, 40, 3, 22, 9, 1, 30, 2, 8, 33, 4, 7, 21, 6, 35):
        server.put(f"p{number}", number)
    result = connector.read(page_size=4)
    assert len(result.ids()) == 15
    assert result.cursors() == [stamp(40.001)]


def test_disorder_that_shows_late_takes_the_state_back(
    server: Server, connector: Connector
) -> None:
    server.state.sorts = False
    server.state.self_link = False
    for number in (10, 11, 12, 13, 3, 4):
        server.put(f"p{number}", number)
    server.put("p5", 5)
    cursors = connector.read(page_size=2).cursors()
    assert cursors == [stamp(11), stamp(13), None, stamp(13.001)]


def test_an_expired_search_is_made_anew_from_where_it_was(
    server: Server, connector: Connector
) -> None:
    server.fill(45)
    server.fault(status(410), on=lambda h: h.is_next and "offset=30" in h.path)
    result = connector.read()
    assert set(result.ids()) == {f"p{n:05d}" for n in range(45)}
    assert f"ge{stamp(29)}" in "".join(server.state.requests)


def test_a_search_that_always_expires_ends_with_an_error(
    server: Server, connector: Connector
) -> None:
    for number in range(30):
        server.put(f"p{number}", 1)
    server.fault(status(410), on=lambda h: h.is_next, times=1000)
    result = connector.run("read", max_attempts=3)
    assert "does not get beyond" in result.errors()[0]["message"]


def test_full_refresh_begins_anew_whatever_the_state(server: Server, connector: Connector) -> None:
    server.fill(5)
    first = connector.read()
    assert len(connector.read(state=first.state, mode="full_refresh").ids()) == 5


def test_a_start_date_leaves_out_what_is_older(server: Server, connector: Connector) -> None:
    server.fill(10)
    assert len(connector.read(start_date=stamp(6)).ids()) == 4


def test_a_page_size_of_a_single_type(server: Server, connector: Connector) -> None:
    connector.read("patient", "binary", page_sizes={"Patient": 3}, page_size=50)
    counts = {re.search(r"/(\w+)\?.*_count=(\d+)", x).groups() for x in server.state.requests}
    assert counts == {("Patient", "3"), ("Binary", "20")}


def test_links_of_a_server_that_calls_itself_otherwise_are_led_back(
    server: Server, connector: Connector
) -> None:
    server.state.own_name = "http://hapi.internal:8080/fhir"
    server.fill(25)
    assert len(connector.read().ids()) == 25


def test_relative_links_are_followed(server: Server, connector: Connector) -> None:
    server.state.link = lambda url: url.removeprefix(server.root)
    server.fill(25)
    assert len(connector.read().ids()) == 25


def test_a_link_to_another_origin_is_refused_and_gets_no_token(
    server: Server, connector: Connector
) -> None:
    server.fill(25)
    server.state.link = lambda url: url.replace("127.0.0.1", "localhost")
    auth = {"type": "bearer", "token": "very-secret-token"}
    result = connector.run("read", auth=auth)
    (error,) = result.errors()
    assert "localhost" in error["message"]
    assert server.base in error["message"]
    assert error["failure_type"] == "config_error"
    assert len(server.state.requests) == 1
    assert len(result.ids()) == 10


def test_links_that_lead_in_a_circle_are_noticed(server: Server, connector: Connector) -> None:
    server.fill(45)
    server.state.link = lambda url: re.sub("offset=[0-9]+", "offset=10", url)
    (error,) = connector.run("read").errors()
    assert "read before" in error["message"]
    assert "/fhir" in error["message"]


def test_a_page_that_repeats_is_noticed(server: Server, connector: Connector) -> None:
    server.fill(45)
    made: list[str] = []

    def link(url: str) -> str:
        made.append(url)
        return re.sub("offset=[0-9]+", "offset=10", url) + f"&again={len(made)}"

    server.state.link = link
    (error,) = connector.run("read").errors()
    assert "same resources as the page before" in error["message"]


def test_a_server_that_does_not_know_the_extra_parameters(
    server: Server, connector: Connector
) -> None:
    server.fill(5)
    server.fault(status(400), on=lambda h: "_total" in h.query, times=100)
    assert len(connector.read().ids()) == 5


def test_a_stream_that_fails_leaves_the_others_alone(server: Server, connector: Connector) -> None:
    server.fill(25)
    server.fill(5, "Observation")
    server.state.forbidden = {"Observation"}
    result = connector.run("read", "observation", "patient")
    assert len(result.ids()) == 25
    assert result.statuses("patient")[-1] == "COMPLETE"
    assert result.statuses("observation") == ["STARTED", "RUNNING", "INCOMPLETE"]
    (error,) = result.errors()
    assert error["stream_descriptor"]["name"] == "observation"
    assert "403" in error["message"]
    assert "no role for this type" in error["message"]
    assert result.error is not None
    assert "observation" in str(result.error)


def test_discover_lists_the_types_and_the_ids(server: Server, connector: Connector) -> None:
    server.state.types = ["Patient", "QuestionnaireResponse"]
    (catalog,) = connector.run("discover").of("CATALOG")
    names = [x["name"] for x in catalog["streams"]]
    assert names == ["patient", "questionnaire_response", "resource_ids"]
    first = catalog["streams"][0]
    assert first["source_defined_primary_key"] == [["id"]]
    assert first["default_cursor_field"] == ["last_updated"]
    assert first["supported_sync_modes"] == ["full_refresh", "incremental"]


def test_how_many_there_are_is_told_before_they_are_read(
    server: Server, connector: Connector
) -> None:
    server.fill(25)
    first = connector.read(totals=True)
    assert first.told("total") == [{"stream": "patient", "total": 25}]
    assert first.estimates() == {"patient": 25}
    assert [x["type"] for x in first.messages].index("RECORD") > 2
    server.put("new", 31)
    second = connector.read(state=first.state)
    assert second.told("total") == [{"stream": "patient", "total": 26}]
    assert second.estimates() == {"patient": 1}


def test_a_server_that_does_not_count_is_read_all_the_same(
    server: Server, connector: Connector
) -> None:
    server.fill(5)
    server.fault(status(400), times=9, on=lambda handler: handler.is_count)
    result = connector.read(totals=True)
    assert len(result.ids()) == 5
    assert (result.told("total"), result.estimates()) == ([], {})


def test_times_at_the_end_of_time_are_read(server: Server, connector: Connector) -> None:
    server.put("a", "9999-12-31T23:59:59.999-14:00")
    server.put("b", "0001-01-01T00:00:00+14:00")
    server.put("c", 5)
    first = connector.read()
    assert sorted(first.ids()) == ["a", "b", "c"]
    server.put("d", 6)
    assert "d" in connector.read(state=first.state).ids()
