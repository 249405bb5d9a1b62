"""What a server and a network do wrong for a while, or for good."""

from collections.abc import Callable
from typing import Any

import pytest
from source_fhir_harness import Connector
from source_fhir_server import Handler, Server, cut, cut_chunks, hang, raw, reset, stamp, status

PASSING: dict[str, Callable[[Handler], None]] = {
    "429 with seconds": status(429, Retry_After="0"),
    "429 with a date": status(429, Retry_After="Tue, 13 Jan 2026 13:46:40 GMT"),
    "429 with nonsense": status(429, Retry_After="soon"),
    "500": status(500),
    "502": status(502),
    "503": status(503),
    "504": status(504),
    "no answer in time": hang(0.4),
    "connection reset": reset,
    "body cut": cut,
    "chunks cut": cut_chunks,
    "no JSON": raw(b"<html>gateway</html>"),
    "cut JSON": raw(b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Pa'),
    "another resource": raw(b'{"resourceType":"OperationOutcome"}'),
    "empty": raw(b""),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
@pytest.mark.parametrize("page", ["first", "next"])
def test_a_fault_that_passes_loses_nothing(
    server: Server, connector: Connector, fault: Callable[[Handler], None], page: str
) -> None:
    server.fill(35)
    server.fault(fault, times=2, on=lambda h: h.is_search and h.is_next == (page == "next"))
    assert connector.read(timeout_seconds=0.3).ids() == [f"p{n:05d}" for n in range(35)]
    assert all(x.times == 0 for x in server.state.faults)


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_fault_that_stays_fails_the_stream_and_names_the_request(
    server: Server, connector: Connector, fault: Callable[[Handler], None]
) -> None:
    server.fill(15)
    server.fault(fault, times=100, on=lambda h: h.is_next)
    result = connector.run("read", timeout_seconds=0.2, max_attempts=2)
    (error,) = result.errors()
    assert f"GET {server.base}?_getpages=…&_getpagesoffset=10" in error["message"]
    assert "2 attempts" in error["message"]
    assert error["failure_type"] == "transient_error"
    assert len(result.ids()) == 10
    assert result.statuses("patient")[-1] == "INCOMPLETE"
    rest = Connector(connector.directory, {"base_url": server.base, "page_size": 20})
    assert set(result.ids() + rest.read(state=result.state).ids()) == {
        f"p{n:05d}" for n in range(15)
    }


@pytest.mark.parametrize("wish", ["3600", "Tue, 13 Jan 2026 14:46:40 GMT"])
def test_the_servers_wish_to_wait_is_heard_within_bounds(
    server: Server, connector: Connector, wish: str
) -> None:
    """An hour is asked for; the configured bound is far less."""
    server.fill(3)
    server.fault(status(429, Retry_After=wish))
    assert len(connector.read(max_backoff_seconds=0.02).ids()) == 3


def test_a_status_that_repeating_does_not_change_is_not_repeated(
    server: Server, connector: Connector
) -> None:
    server.fault(lambda h: h.outcome(422, "the parameter\n is odd"), times=9)
    (error,) = connector.run("read").errors()
    assert "HTTP 422 (the parameter is odd)" in error["message"]
    assert len(server.state.requests) == 1


def test_a_redirect_is_not_followed_but_told(server: Server, connector: Connector) -> None:
    server.fault(status(301, Location="https://elsewhere.example/fhir/Patient?token=abc"))
    (error,) = connector.run("read").errors()
    assert "https://elsewhere.example/fhir/Patient?token=…" in error["message"]


def test_a_type_that_the_server_does_not_know(server: Server, connector: Connector) -> None:
    result = connector.run("read", "unheard_of", "patient")
    assert "404" in result.errors()[0]["message"]
    assert result.statuses("patient")[-1] == "COMPLETE"


@pytest.mark.parametrize("big", range(6))
def test_a_page_too_large_is_asked_for_in_smaller_ones(
    server: Server, connector: Connector, big: int
) -> None:
    for number in range(40):
        text = "x" * (200_000 if number % 6 == big else 100)
        server.put(f"b{number:02d}", number, "Binary", data=text)
    result = connector.read("binary", max_page_mib=0.3, page_sizes={"Binary": 30})
    assert set(result.ids("binary")) == {f"b{n:02d}" for n in range(40)}
    assert all(len(x["resource"]["data"]) in (100, 200_000) for x in result.records("binary"))
    assert result.cursors("binary")[-1] == stamp(39.001)


def test_a_resource_of_5_mb_is_carried_whole(server: Server, connector: Connector) -> None:
    server.put("small", 1, "Binary")
    server.put("large", 2, "Binary", data="QUJD" * 1_250_000)
    server.put("other", 3, "Binary")
    result = connector.read("binary")
    found = {x["id"]: x["resource"].get("data", "") for x in result.records("binary")}
    assert found == {"small": "", "large": "QUJD" * 1_250_000, "other": ""}


def test_a_resource_too_large_is_reported_and_the_others_are_read(
    server: Server, connector: Connector
) -> None:
    for number in range(12):
        server.put(f"b{number:02d}", number // 3, "Binary")
    server.put("huge", 1, "Binary", data="x" * 2_000_000)
    result = connector.read("binary", max_page_mib=0.2, max_resource_mib=1)
    assert set(result.ids("binary")) == {f"b{n:02d}" for n in range(12)}
    (told,) = result.rejected()
    assert (told["stream"], told["id"]) == ("binary", "huge")
    assert f"GET {server.base}/Binary/huge" in told["reason"]
    assert "INFO Binary/huge cannot be carried" in result.log
    assert result.cursors("binary")[-1] == stamp(3.001)


def test_pages_grow_again_after_large_resources(server: Server, connector: Connector) -> None:
    server.put("huge", 0, "Binary", data="x" * 150_000)
    server.fill(400, "Binary", first=1)
    result = connector.read("binary", max_page_mib=0.1, page_sizes={"Binary": 64})
    assert len(set(result.ids("binary"))) == 401
    counts: list[Any] = [x.partition("_count=")[2].partition("&")[0] for x in server.state.requests]
    assert counts[:4] == ["64", "16", "4", "1"]
    assert counts[-1] == "64"


def test_what_is_written_stays_in_lines_when_the_server_formats_its_json(
    server: Server, connector: Connector
) -> None:
    server.state.pretty = True
    server.put("a", 1, text='{\r\n "resourceType" : "Patient",\n "id": "a", "x": "one\\ntwo"\n}')
    result = connector.read()
    assert result.records()[0]["resource"]["x"] == "one\ntwo"
