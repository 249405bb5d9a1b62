"""The parts that are pure, by tables."""

from datetime import UTC, datetime

import pytest
from source_fhir import links, scan
from source_fhir.errors import LinkError, MalformedError
from source_fhir.names import is_type, stream_of, type_of
from source_fhir.retry import Backoff, retry_after

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
BASE = "https://fhir.example/fhir"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 17 ", 17),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-3", None),
        ("1.5", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@pytest.mark.parametrize(
    ("attempt", "wish", "least", "most"),
    [(1, None, 0.5, 1), (4, None, 4, 8), (20, None, 30, 60), (1, 7, 7, 7), (1, 900, 60, 60)],
)
def test_backoff(attempt: int, wish: float | None, least: float, most: float) -> None:
    delays = [Backoff(1, 60).delay(attempt, wish) for _ in range(50)]
    assert least <= min(delays)
    assert max(delays) <= most


@pytest.mark.parametrize(
    ("link", "own_name", "url"),
    [
        (f"{BASE}?_getpages=1", None, f"{BASE}?_getpages=1"),
        (f"{BASE}/Patient?page=2", None, f"{BASE}/Patient?page=2"),
        ("https://fhir.example:443/fhir?p=2", None, "https://fhir.example:443/fhir?p=2"),
        ("Patient?page=2", None, f"{BASE}/Patient?page=2"),
        ("/fhir/Patient?page=2", None, f"{BASE}/Patient?page=2"),
        ("http://hapi:8080/fhir?p=2", "http://hapi:8080/fhir", f"{BASE}?p=2"),
        ("http://hapi:8080/r4/Patient?p=2", "http://hapi:8080/r4", f"{BASE}/Patient?p=2"),
        ("http://fhir.example/fhir?p=2", None, None),
        ("https://fhir.example:8443/fhir?p=2", None, None),
        ("https://fhir.example.evil.example/fhir?p=2", None, None),
        ("https://fhir.example@evil.example/fhir?p=2", None, None),
        ("https://fhir.example/fhir2?p=2", None, None),
        ("https://fhir.example/fhir/../admin", None, None),
        ("//evil.example/fhir?p=2", None, None),
        ("http://other:8080/fhir?p=2", "http://hapi:8080/fhir", None),
    ],
)
def test_links_are_followed_below_the_base_only(
    link: str, own_name: str | None, url: str | None
) -> None:
    if url:
        assert links.follow(link, BASE, own_name) == url
    else:
        with pytest.raises(LinkError, match="not below the configured base_url"):
            links.follow(link, BASE, own_name)


def test_urls_are_shown_without_secrets() -> None:
    url = "https://u:p@h.example/fhir/Patient?_count=5&name=Amina&access_token=abc#x"
    assert links.shown(url) == "https://h.example/fhir/Patient?_count=5&name=…&access_token=…"


@pytest.mark.parametrize(
    ("resource_type", "stream"),
    [
        ("Patient", "patient"),
        ("QuestionnaireResponse", "questionnaire_response"),
        ("Group", "group"),
    ],
)
def test_names(resource_type: str, stream: str) -> None:
    assert stream_of(resource_type) == stream
    assert type_of(stream) == resource_type


@pytest.mark.parametrize("name", ["", "patient", "Patient/1", "Patient?x", "../x", "P", "Pa tient"])
def test_names_that_are_no_types(name: str) -> None:
    assert not is_type(name)


@pytest.mark.parametrize("name", ["resource_ids", "__x", "Patient", "a__b", "a/b", ""])
def test_names_that_are_no_streams(name: str) -> None:
    assert type_of(name) is None


def test_scan_finds_resources_whatever_surrounds_them() -> None:
    text = (
        b' {"link":[{"url":"a\\"]}{"}], "entry" : [ '
        b'{"x":[{"resource":1}],"resource" : {"id":"]}"} }'
        b',{}, {"fullUrl":"y"} , {"resource":{"a":[{"b":{}}]},"search":{}}], "total":2}'
    )
    assert list(scan.resources(text)) == [b'{"id":"]}"}', b'{"a":[{"b":{}}]}']
    assert scan.outline(text) == b'{"link":[{"url":"a\\"]}{"}], "total":2}'
    assert scan.text_member(b'{"contained":[{"id":"no"}], "id" : "yes"}', b"id") == "yes"


@pytest.mark.parametrize("text", [b"", b"{", b'{"entry":[', b'{"entry":[{"resource":{}}', b"[[]"])
def test_scan_refuses_text_that_is_cut(text: bytes) -> None:
    with pytest.raises(MalformedError):
        list(scan.resources(text))
