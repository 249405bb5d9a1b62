"""Loads transactions into a FHIR server: in parallel, in bounded pieces, as often as you like."""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import httpx

from fhirstack.demo.fhir import Bundle, Progress, Resource, address_of, references, silent
from fhirstack.errors import CheckFailedError, FhirstackError, UnreachableError
from fhirstack.patience import Patience

WORKERS = 3
ENTRIES = 300
PATIENCE = 300.0
"""Seconds without any transaction stored, after which the load ends."""

# 409: two transactions met in the same row; 429 and 5xx: the server or what is before it is busy.
_PASSING = {409, 429, *range(500, 600)}
_LONGEST_DELAY = 8.0
_UNCHANGED = "SUCCESSFUL_UPDATE_NO_CHANGE"
_HEADERS = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
_TIMEOUT = httpx.Timeout(300, connect=60)
_ENTRY = re.compile(r"Bundle\.entry\[(\d+)\]")


@dataclass(frozen=True)
class Loaded:
    """What a load did. ``resources`` counts by type, new or not, so a repeat gives the same."""

    resources: Mapping[str, int]
    created: int
    unchanged: int
    transactions: int
    seconds: float

    @property
    def total(self) -> int:
        """All resources sent."""
        return sum(self.resources.values())

    @property
    def updated(self) -> int:
        """Resources of which the server now has a new version."""
        return self.total - self.created - self.unchanged


def load(
    fhir: httpx.Client,
    bundles: Iterable[Bundle],
    progress: Progress = silent,
    *,
    workers: int = WORKERS,
    entries: int = ENTRIES,
    patience: float = PATIENCE,
    total: int | None = None,
) -> Loaded:
    """Send transactions to the FHIR base of ``fhir`` and return what was sent.

    The first bundle is sent alone (the programme: others refer to it; and the server makes each
    tag's definition once). The others go ``workers`` at a time, at most ``entries`` resources in
    one transaction, where what is referred to goes first. The iterable is read as needed;
    ``total`` says how many it holds, for ``progress``.
    A failure that may pass is tried again, until nothing was stored for ``patience`` seconds.
    Raises CheckFailedError for what the server refuses, UnreachableError for what it does not
    answer; a repeat completes it.
    """
    began = time.monotonic()
    stop = threading.Event()
    sender = _Sender(fhir, stop, entries, patience)
    done, loaded = _Tally(), 0
    source = iter(bundles)
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="demo-load")

    def take(tally: _Tally) -> None:
        nonlocal done, loaded
        done += tally
        loaded += 1
        progress("Loading", loaded, total)

    def finish(running: set[Future[_Tally]]) -> set[Future[_Tally]]:
        finished, running = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            if not isinstance(future.exception(), _StoppedError):
                take(future.result())
        return running

    try:
        for bundle in islice(source, 1):
            take(sender.send(bundle))
        running: set[Future[_Tally]] = set()
        for bundle in source:
            running.add(pool.submit(sender.send, bundle))
            if len(running) >= 2 * workers:
                running = finish(running)
        while running:
            running = finish(running)
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
    seconds = time.monotonic() - began
    resources = dict(sorted(done.resources.items()))
    return Loaded(resources, done.created, done.unchanged, done.transactions, seconds)


def pieces(bundle: Bundle, entries: int) -> Iterator[Bundle]:
    """Cut a transaction into some of at most ``entries``, referred-to resources first.

    The server checks references at the end of each transaction, so a piece may refer to itself
    and to earlier pieces.
    """
    if len(bundle["entry"]) <= entries:
        yield bundle
        return
    ordered = list(_dependencies_first(bundle["entry"]))
    for start in range(0, len(ordered), entries):
        yield {**bundle, "entry": ordered[start : start + entries]}


def _dependencies_first(items: list[Resource]) -> Iterator[Resource]:
    by_address = {address_of(item["resource"]): item for item in items}
    seen: set[str] = set()
    for root in by_address:
        stack: list[tuple[str, bool]] = [(root, False)]
        while stack:
            address, ready = stack.pop()
            if ready:
                yield by_address[address]
            elif address not in seen:
                seen.add(address)
                stack.append((address, True))
                targets = references(by_address[address]["resource"])
                stack.extend((target, False) for target in targets if target in by_address)


@dataclass(frozen=True)
class _Tally:
    created: int = 0
    unchanged: int = 0
    transactions: int = 0
    resources: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "_Tally") -> "_Tally":
        return _Tally(
            self.created + other.created,
            self.unchanged + other.unchanged,
            self.transactions + other.transactions,
            self.resources + other.resources,
        )


class _StoppedError(Exception):
    """A worker ended because another one failed, or the user has had enough."""


class _Sender:
    """Sends one bundle from any thread."""

    def __init__(
        self, fhir: httpx.Client, stop: threading.Event, entries: int, patience: float
    ) -> None:
        self._fhir = fhir
        self._stop = stop
        self._entries = entries
        self._patience = patience
        self._stored = 0

    def send(self, bundle: Bundle) -> _Tally:
        """Send every piece in order. The first failure stops the other workers too."""
        tally = _Tally()
        try:
            for piece in pieces(bundle, self._entries):
                tally += _count(self._answer(piece), piece)
        except BaseException:
            self._stop.set()
            raise
        return tally

    def _answer(self, bundle: Bundle) -> Bundle:
        patience = Patience(self._patience)
        delay = 0.25
        while True:
            if self._stop.is_set():
                raise _StoppedError
            try:
                response = self._fhir.post("", json=bundle, headers=_HEADERS, timeout=_TIMEOUT)
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {error}".rstrip(": ")
            else:
                if response.is_success:
                    self._stored += 1
                    return _transaction_response(response, bundle)
                if response.status_code not in _PASSING:
                    raise refused(response, bundle)
                problem = f"HTTP {response.status_code}: {_diagnostics(response)}"
            patience.sees(self._stored)
            if patience.ended:
                raise UnreachableError(
                    f"not loaded: {patience.ended}; {problem}",
                    where=f"{self._fhir.base_url}, {_name(bundle)}",
                    remedy="Check the FHIR server, then run it again: it goes on where it was.",
                )
            self._stop.wait(delay)  # ends early when another worker has failed
            delay = min(2 * delay, _LONGEST_DELAY)


def refused(response: httpx.Response, bundle: Bundle) -> FhirstackError:
    """Return the error for a transaction that the server will never take, naming the entry."""
    diagnostics = _diagnostics(response)
    return CheckFailedError(
        f"HTTP {response.status_code}: {diagnostics}",
        where=f"{response.request.url}, {_name(bundle)}, {_entry(diagnostics, bundle)}",
        remedy="Nothing of this transaction was stored.",
    )


def _name(bundle: Bundle) -> str:
    first = address_of(bundle["entry"][0]["resource"]) if bundle["entry"] else "empty"
    size = len(bundle["entry"])
    return f"bundle {bundle.get('id', '?')} ({size} entries, the first is {first})"


def _entry(diagnostics: str, bundle: Bundle) -> str:
    """Return which entry the diagnostics speak of, by its index or by its Type/id."""
    items = bundle["entry"]
    found = _ENTRY.search(diagnostics)
    if found and int(found[1]) < len(items):
        return f"entry {found[1]}: {address_of(items[int(found[1])]['resource'])}"
    for index, item in enumerate(items):
        address = address_of(item["resource"])
        if address in diagnostics or f"[{item['resource']['id']}]" in diagnostics:
            return f"entry {index}: {address}"
        if any(target in diagnostics for target in references(item["resource"])):
            return f"entry {index}: {address}, which refers to what the server names"
    return "entry not named by the server"


def _diagnostics(response: httpx.Response) -> str:
    try:
        issues = response.json()["issue"]
        return "; ".join(str(issue.get("diagnostics") or issue.get("code")) for issue in issues)
    except (ValueError, KeyError, TypeError, AttributeError):
        is_page = "html" in response.headers.get("Content-Type", "")
        return response.reason_phrase if is_page else response.text[:300] or response.reason_phrase


def _transaction_response(response: httpx.Response, bundle: Bundle) -> Bundle:
    try:
        answer: Any = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or answer.get("type") != "transaction-response":
        raise UnreachableError(
            "the answer is not a FHIR transaction response",
            where=f"{response.request.url}, {_name(bundle)}",
            remedy="Give the FHIR server's own base, such as http://127.0.0.1:8080/fhir",
        )
    return answer


def _count(answer: Bundle, sent: Bundle) -> _Tally:
    responses = [entry.get("response", {}) for entry in answer.get("entry", [])]
    created = sum(str(item.get("status", "")).startswith("201") for item in responses)
    unchanged = sum(_is_unchanged(item) for item in responses)
    types = Counter(entry["resource"]["resourceType"] for entry in sent["entry"])
    return _Tally(created, unchanged, 1, types)


def _is_unchanged(response: Resource) -> bool:
    """Whether HAPI says that an update changed nothing (StorageResponseCodeEnum)."""
    return any(
        code.get("code") == _UNCHANGED
        for issue in response.get("outcome", {}).get("issue", [])
        for code in issue.get("details", {}).get("coding", [])
    )
