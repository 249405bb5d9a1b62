"""A FHIR server over a real socket, small and correct, with faults that a test switches on."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

START = datetime(2026, 1, 1, tzinfo=UTC)


def stamp(seconds: float) -> str:
    """The instant this many seconds after the server's beginning of time."""
    moment = START + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Fault:
    """What to do to the next `times` requests that `matches`."""

    matches: Callable[["Handler"], bool]
    act: Callable[["Handler"], None]
    times: int = 1


@dataclass
class Stored:
    text: str
    updated: str


@dataclass
class State:
    """What the server has and how it behaves. Seconds of `now` are since START."""

    resources: dict[str, dict[str, Stored]] = field(default_factory=dict)
    deleted: list[tuple[str, str, str]] = field(default_factory=list)
    now: float = 1_000_000.0
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    searches: dict[str, list[str]] = field(default_factory=dict)
    sorts: bool = True
    self_link: bool = True
    own_name: str | None = None
    link: Callable[[str], str] | None = None
    history_status: int = 200
    history_times: bool = True
    history_newest_first: bool = True
    types: list[str] = field(default_factory=lambda: ["Patient", "Observation", "Binary"])
    capability: dict[str, Any] = field(default_factory=dict)
    tokens: set[str] | None = None
    token_life: float = 300
    token_posts: list[dict[str, list[str]]] = field(default_factory=list)
    extra_entries: list[str] = field(default_factory=list)
    pretty: bool = False
    total: int | None = None
    forbidden: set[str] = field(default_factory=set)
    last_updated_of_bundle: bool = True


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.state = State()
        self.lock = threading.RLock()
        self.base = f"http://127.0.0.1:{self.server_port}/fhir"
        self.root = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that a fault breaks are no news."""

    def put(
        self,
        id: str,
        updated: float | str,
        type: str = "Patient",
        text: str | None = None,
        **more: Any,
    ) -> None:
        """Store a resource; `text` is stored as it stands."""
        when = updated if isinstance(updated, str) else stamp(updated)
        if text is None:
            meta = {"versionId": "1", "lastUpdated": when}
            text = json.dumps({"resourceType": type, "id": id, "meta": meta, **more})
        with self.lock:
            self.state.resources.setdefault(type, {})[id] = Stored(text, when)

    def fill(self, count: int, type: str = "Patient", first: int = 0) -> None:
        for number in range(first, first + count):
            self.put(f"{type[0].lower()}{number:05d}", number, type)

    def delete(self, id: str, at: float, type: str = "Patient") -> None:
        with self.lock:
            self.state.resources[type].pop(id, None)
            self.state.deleted.append((type, id, stamp(at)))

    def fault(
        self,
        act: Callable[["Handler"], None],
        *,
        times: int = 1,
        on: Callable[["Handler"], bool] | None = None,
    ) -> None:
        """The next `times` requests (by default for pages of a search) meet `act`."""
        self.state.faults.append(Fault(on or (lambda h: h.is_search), act, times))


@contextmanager
def serving() -> Iterator[Server]:
    """Serve from a thread of its own until the block ends."""
    found = Server()
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        found.shutdown()
        thread.join()
        found.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, *_: Any) -> None:
        """Silence."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(START + timedelta(seconds=int(self.server.state.now)), usegmt=True)

    @property
    def parts(self) -> list[str]:
        return urlsplit(self.path).path.removeprefix("/fhir").strip("/").split("/")

    @property
    def query(self) -> dict[str, str]:
        found = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values[-1] for name, values in found.items()}

    @property
    def is_search(self) -> bool:
        whole = len(self.parts) == 1 and self.parts[0] in TYPES and not self.is_count
        return "_getpages" in self.query or whole

    @property
    def is_count(self) -> bool:
        return self.query.get("_summary") == "count"

    @property
    def is_next(self) -> bool:
        return "_getpages" in self.query

    def answer(self, status: int, body: bytes | str = b"", **headers: str) -> None:
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def outcome(self, status: int, told: str) -> None:
        issue = [{"severity": "error", "code": "processing", "diagnostics": told}]
        self.answer(status, json.dumps({"resourceType": "OperationOutcome", "issue": issue}))

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        form = parse_qs(self.rfile.read(length).decode())
        state = self.server.state
        if self._faulty():
            return
        with self.server.lock:
            state.token_posts.append(form)
            token = f"token-{len(state.token_posts)}"
            if state.tokens is not None:
                state.tokens.add(token)
        told = {"access_token": token, "expires_in": state.token_life, "token_type": "Bearer"}
        self.answer(200, json.dumps(told))

    def do_GET(self) -> None:
        state = self.server.state
        with self.server.lock:
            state.requests.append(self.path)
            state.headers.append(dict(self.headers))
        if self._faulty():
            return
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if state.tokens is not None and token not in state.tokens:
            self.outcome(401, "the token is not valid")
        elif self.parts[0] in state.forbidden:
            self.outcome(403, "no role for this type")
        elif self.parts == ["metadata"]:
            self._metadata()
        elif self.is_next:
            self._page(self.query["_getpages"], int(self.query["_getpagesoffset"]))
        elif self.parts[-1] == "_history":
            self._history()
        elif len(self.parts) == 2:
            self._read()
        elif self.parts[0] in TYPES:
            self._search()
        else:
            self.outcome(404, f"Unknown resource type '{self.parts[0]}'")

    def _faulty(self) -> bool:
        with self.server.lock:
            for fault in self.server.state.faults:
                if fault.times > 0 and fault.matches(self):
                    fault.times -= 1
                    break
            else:
                return False
        fault.act(self)
        return True

    def _metadata(self) -> None:
        resources = [
            {"type": name, "interaction": [{"code": "search-type"}]}
            for name in self.server.state.types
        ]
        self.answer(
            200,
            json.dumps(
                {
                    "resourceType": "CapabilityStatement",
                    "fhirVersion": "4.0.1",
                    "rest": [{"resource": resources}],
                    **self.server.state.capability,
                }
            ),
        )

    def _read(self) -> None:
        found = self.server.state.resources.get(self.parts[0], {}).get(self.parts[1])
        self.answer(200, found.text) if found else self.outcome(410, "gone")

    def _search(self) -> None:
        state, name = self.server.state, self.parts[0]
        with self.server.lock:
            found = list(state.resources.get(name, {}).items())
            begin = self.query.get("_lastUpdated", "ge").removeprefix("ge")
            moment = datetime.fromisoformat(begin) if begin else None
            if moment:
                found = [x for x in found if _moment(x[1].updated) >= moment]
            if self.is_count:
                told = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
                self.answer(200, json.dumps(told))
                return
            if state.sorts and self.query.get("_sort"):
                found.sort(key=lambda x: _moment(x[1].updated))
            texts = [x[1].text for x in found]
            if "_elements" in self.query:
                texts = [
                    json.dumps(
                        {"resourceType": name, "id": id, "meta": {"lastUpdated": stored.updated}}
                    )
                    for id, stored in found
                ]
            key = f"s{len(state.searches)}"
            state.searches[key] = texts
        self._page(key, 0)

    def _page(self, key: str, offset: int) -> None:
        state, count = self.server.state, int(self.query.get("_count", "20"))
        if key not in state.searches:
            self.outcome(410, "the search has expired")
            return
        texts = state.searches[key]
        name = state.own_name or self.server.base
        links = []
        if state.self_link:
            asked = "_sort=_lastUpdated&" if state.sorts else ""
            links.append(
                {"relation": "self", "url": f"{name}/{self.parts[0]}?{asked}_count={count}"}
            )
        if offset + count < len(texts):
            url = f"{name}?_getpages={key}&_getpagesoffset={offset + count}&_count={count}"
            links.append({"relation": "next", "url": state.link(url) if state.link else url})
        entries = [
            f'{{"fullUrl":"{name}/x","resource":{text},"search":{{"mode":"match"}}}}'
            for text in texts[offset : offset + count]
        ]
        self._bundle("searchset", links, entries + state.extra_entries, len(texts))

    def _bundle(self, kind: str, links: list[Any], entries: list[str], total: int) -> None:
        state = self.server.state
        told: dict[str, Any] = {"resourceType": "Bundle", "type": kind, "link": links}
        if state.last_updated_of_bundle:
            told["meta"] = {"lastUpdated": stamp(state.now)}
        if self.query.get("_total") == "accurate":
            told["total"] = total if state.total is None else state.total
        outline = json.dumps(told, indent=2 if state.pretty else None)
        text = f'{outline.rstrip()[:-1]},"entry":[{",".join(entries)}]}}'
        if state.pretty:
            text = text.replace('":', '" :\r\n ')
        self.answer(200, text.encode("utf-8", "surrogateescape"))

    def _history(self) -> None:
        state, name = self.server.state, self.parts[0]
        if state.history_status != 200:
            self.outcome(state.history_status, "no history")
            return
        since = self.query.get("_since", "")
        entries = []
        for id, stored in state.resources.get(name, {}).items():
            if _moment(stored.updated) >= datetime.fromisoformat(since):
                entries.append(
                    {
                        "fullUrl": f"{self.server.base}/{name}/{id}",
                        "resource": {"resourceType": name, "id": id},
                        "request": {"method": "PUT", "url": f"{name}/{id}/_history/1"},
                    }
                )
        for kind, id, at in state.deleted:
            if kind == name and at >= since:
                told = {"status": "204"} | ({"lastModified": at} if state.history_times else {})
                entries.append(
                    {
                        "fullUrl": f"{self.server.base}/{name}/{id}",
                        "request": {"method": "DELETE", "url": f"{name}/{id}/_history/2"},
                        "response": told,
                    }
                )
        if not state.history_newest_first:
            entries.reverse()
        count, offset = int(self.query.get("_count", "20")), int(self.query.get("_offset", "0"))
        links = []
        if offset + count < len(entries):
            url = f"{self.server.base}/{name}/_history?_since={since}&_count={count}"
            links.append({"relation": "next", "url": f"{url}&_offset={offset + count}"})
        page = [json.dumps(x) for x in entries[offset : offset + count]]
        self._bundle("history", links, page, len(entries))


TYPES = ("Patient", "Observation", "Binary", "Group", "QuestionnaireResponse")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return START
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def status(code: int, **headers: str) -> Callable[[Handler], None]:
    """Answer with this status."""
    return lambda handler: handler.answer(code, b"", **headers)


def raw(body: bytes) -> Callable[[Handler], None]:
    """Answer 200 with this body."""
    return lambda handler: handler.answer(200, body)


def cut(handler: Handler) -> None:
    """Promise more than is sent, and hang up."""
    handler.answer(200, b'{"resourceType":"Bundle","entry":[', Content_Length="100000")
    handler.close_connection = True


def cut_chunks(handler: Handler) -> None:
    """Hang up between chunks."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'5\r\n{"res\r\n')
    handler.close_connection = True


def reset(handler: Handler) -> None:
    """Break the connection without an answer."""
    handler.connection.setsockopt(1, 13, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # SO_LINGER 0
    handler.close_connection = True
    handler.connection.close()


def hang(seconds: float) -> Callable[[Handler], None]:
    """Say nothing for a while, then hang up."""

    def act(handler: Handler) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return act
