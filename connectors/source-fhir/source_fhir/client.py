"""Requests to the FHIR server, made again where that helps."""

import contextlib
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import httpx
import msgspec

from . import times
from .auth import credentials
from .config import Config
from .errors import (
    ConfigurationError,
    MalformedError,
    StatusError,
    TooDeepError,
    TooLargeError,
    UnreachableError,
)
from .links import shown
from .retry import RETRIED, Backoff, retry_after

T = TypeVar("T")
_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What was parsed, the URL asked, the server's time then, and the body's size in bytes."""

    value: T
    url: str
    asked: datetime
    size: int


class _AgainError(Exception):
    """The attempt failed in a way that may pass; `after` is the server's wish in seconds."""

    def __init__(self, problem: str, after: float | None = None) -> None:
        super().__init__(problem)
        self.after = after


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Trust the system's certificates, and those of `ca_file`. Raise ConfigurationError."""
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            raise ConfigurationError(f"ca_file {ca_file} cannot be used: {error}") from None
    return context


def _uses_tls(config: Config) -> bool:
    """Whether anything is asked over TLS: to load the certificates to trust takes its time."""
    token_url = getattr(config.auth, "token_url", "")
    return bool(config.ca_file) or any(
        url.startswith("https:") for url in (config.base_url, token_url)
    )


class FhirClient:
    """GET requests to one FHIR server; used by several threads at once."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._backoff = Backoff(config.backoff_seconds, config.max_backoff_seconds)
        self._stopped = threading.Event()
        self._http = httpx.Client(
            verify=tls_context(config.ca_file) if _uses_tls(config) else False,
            timeout=config.timeout_seconds,
            headers={"User-Agent": "source-fhir"},
            follow_redirects=False,
        )
        self._credentials = credentials(config.auth, self._http, self._backoff, config.max_attempts)

    def close(self) -> None:
        """End waits, and the connections."""
        self._stopped.set()
        self._http.close()

    def get(
        self,
        url: str,
        parse: Callable[[bytes], T],
        *,
        limit: int,
        salvage: Callable[[bytes], T] | None = None,
        attempts: int | None = None,
    ) -> Answer[T]:
        """GET `url` and parse its body of at most `limit` bytes.

        `salvage` is used for a body that stays malformed. Raise StatusError, TooLargeError,
        UnreachableError, MalformedError, ConfigurationError.
        """
        attempts = attempts or self._config.max_attempts
        renewed = False
        attempt = 1
        cause: Exception
        while True:
            header = self._credentials.header()
            try:
                answer = self._once(url, header, limit)
                return Answer(parse(answer.value), url, answer.asked, answer.size)
            except _AgainError as error:
                cause, after = error, error.after
            except StatusError as error:
                if error.status != 401 or renewed or not self._credentials.renew(header):
                    raise
                renewed = True
                continue
            except MalformedError as error:
                deep = isinstance(error, TooDeepError)
                if salvage and (deep or attempt >= attempts):
                    with contextlib.suppress(MalformedError):
                        return Answer(salvage(answer.value), url, answer.asked, answer.size)
                if deep:
                    raise MalformedError(f"GET {shown(url)}: {error}") from None
                cause, after = error, None
            if attempt >= attempts:
                raise UnreachableError(
                    f"GET {shown(url)} failed in {attempts} attempts, the last time with: {cause}"
                ) from cause
            if self._stopped.wait(self._backoff.delay(attempt, after)):
                raise UnreachableError(f"GET {shown(url)} was given up, as the run ends")
            attempt += 1

    def _once(self, url: str, header: str | None, limit: int) -> Answer[bytes]:
        headers = {"Accept": "application/fhir+json", "Cache-Control": "no-cache"}
        if header:
            headers["Authorization"] = header
        began = time.monotonic()
        try:
            with self._http.stream("GET", url, headers=headers) as answer:
                waited = timedelta(seconds=time.monotonic() - began)
                date = times.parse_http_date(answer.headers.get("date"))
                if answer.status_code != 200:
                    raise self._refused(url, answer, date)
                body = self._body(url, answer, limit, began)
        except httpx.TransportError as error:
            raise _AgainError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        except httpx.DecodingError as error:
            raise _AgainError(f"its content encoding is broken: {error}") from error
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"{shown(url)} is not a URL: {error}") from error
        return Answer(body, url, (date or times.now()) - waited, len(body))

    def _body(self, url: str, answer: httpx.Response, limit: int, began: float) -> bytes:
        parts, size = [], 0
        # A server that sends a few bytes now and then must not hold the run for ever.
        deadline = began + 10 * self._config.timeout_seconds
        for part in answer.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > limit:
                message = f"GET {shown(url)} answers with more than {limit} bytes"
                raise TooLargeError(message, b"".join(parts)[:_HEAD])
            if time.monotonic() > deadline:
                raise _AgainError("the answer takes too long")
        return b"".join(parts)

    def _refused(
        self, url: str, answer: httpx.Response, date: datetime | None
    ) -> StatusError | _AgainError:
        status = answer.status_code
        if answer.is_redirect:
            where = shown(answer.headers.get("location", "?"))
            return StatusError(
                f"GET {shown(url)} leads on to {where} (HTTP {status}): configure base_url as the "
                "place it leads to",
                status,
            )
        told = f"HTTP {status}{_diagnostics(answer)}"
        if status in RETRIED:
            return _AgainError(told, retry_after(answer.headers.get("retry-after"), date))
        return StatusError(f"GET {shown(url)} answered {told}{_advice(status)}", status)


def _advice(status: int) -> str:
    return {
        401: ". Check the credentials under auth",
        403: ". The credentials are good, but may not read this",
    }.get(status, "")


class _Issue(msgspec.Struct):
    diagnostics: str = ""


class _Outcome(msgspec.Struct):
    issue: list[_Issue] = []


def _diagnostics(answer: httpx.Response) -> str:
    """Return what an OperationOutcome tells, in at most 300 characters."""
    try:
        head = next(answer.iter_bytes(_HEAD), b"")
        outcome = msgspec.json.decode(head, type=_Outcome)
    except (httpx.HTTPError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    told = re.sub(r"\s+", " ", "; ".join(x.diagnostics for x in outcome.issue if x.diagnostics))
    return f" ({told[:300]})" if told else ""
