"""The credentials of requests."""

import base64
import threading
import time
from typing import Protocol
from urllib.parse import quote

import httpx
import msgspec

from .config import Auth, Bearer, ClientCredentials
from .errors import ConfigurationError, UnreachableError
from .links import shown
from .retry import RETRIED, Backoff


class Credentials(Protocol):
    """Gives the `Authorization` header, and a new one when the old is refused."""

    def header(self) -> str | None:
        """Return the header's value now."""

    def renew(self, refused: str | None) -> bool:
        """Whether there is something to try other than the `refused` header."""


class Fixed:
    """A header that never changes."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    def header(self) -> str | None:
        """Return the header's value."""
        return self._value

    def renew(self, refused: str | None) -> bool:
        """Nothing else can be tried."""
        return self._value != refused


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float | None = None


class Tokens:
    """Access tokens by client credentials, shared by threads, renewed before they expire."""

    def __init__(
        self, client: httpx.Client, auth: ClientCredentials, backoff: Backoff, attempts: int
    ) -> None:
        self._client, self._auth, self._backoff, self._attempts = client, auth, backoff, attempts
        self._lock = threading.Lock()
        self._header: str | None = None
        self._until = 0.0

    def header(self) -> str | None:
        """Raise ConfigurationError or UnreachableError if no token is to be had."""
        with self._lock:
            if self._header is None or time.monotonic() >= self._until:
                self._fetch()
            return self._header

    def renew(self, refused: str | None) -> bool:
        """Forget the refused token, unless another thread has renewed it already."""
        with self._lock:
            if self._header == refused:
                self._header = None
        return True

    def _fetch(self) -> None:
        asked = time.monotonic()
        token = self._ask()
        # A fifth of the life, at most 30 s, is kept for the way and for clocks that differ.
        life = token.expires_in if token.expires_in is not None else float("inf")
        self._until = asked + life - min(30.0, life / 5 if life != float("inf") else 0.0)
        self._header = f"Bearer {token.access_token}"

    def _ask(self) -> _Token:
        where, problem = shown(self._auth.token_url), ""
        for attempt in range(1, self._attempts + 1):
            try:
                form, headers = self._form()
                answer = self._client.post(self._auth.token_url, data=form, headers=headers)
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                if answer.status_code == 200:
                    return self._token(answer.content, where)
                problem = f"HTTP {answer.status_code} {_reason(answer.content)}".strip()
                if answer.status_code not in RETRIED:
                    raise ConfigurationError(
                        f"POST {where} gave no token: {problem}. Check token_url, client_id, "
                        "client_secret and scopes"
                    )
            if attempt < self._attempts:
                time.sleep(self._backoff.delay(attempt))
        raise UnreachableError(
            f"POST {where} gave no token in {self._attempts} attempts: {problem}"
        )

    def _form(self) -> tuple[dict[str, str], dict[str, str]]:
        auth = self._auth
        form = {"grant_type": "client_credentials"}
        if auth.scopes:
            form["scope"] = " ".join(auth.scopes)
        if auth.client_authentication == "post":
            form |= {"client_id": auth.client_id, "client_secret": auth.client_secret}
            return form, {}
        pair = f"{quote(auth.client_id, safe='')}:{quote(auth.client_secret, safe='')}"
        basic = base64.b64encode(pair.encode()).decode()
        return form, {"Authorization": f"Basic {basic}"}

    @staticmethod
    def _token(body: bytes, where: str) -> _Token:
        try:
            return msgspec.json.decode(body, type=_Token, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ConfigurationError(f"POST {where} did not answer with an access token") from None


class _TokenError(msgspec.Struct):
    error: str = ""
    error_description: str = ""


def _reason(body: bytes) -> str:
    """Return the error of RFC 6749, 5.2; nothing of any other text, which might repeat a secret."""
    try:
        told = msgspec.json.decode(body, type=_TokenError)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return f"{told.error} {told.error_description}".strip()[:200]


def credentials(auth: Auth, client: httpx.Client, backoff: Backoff, attempts: int) -> Credentials:
    """Return the credentials that the configuration asks for."""
    if isinstance(auth, ClientCredentials):
        return Tokens(client, auth, backoff, attempts)
    return Fixed(f"Bearer {auth.token}" if isinstance(auth, Bearer) else None)
