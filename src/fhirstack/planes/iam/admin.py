"""Keycloak's Admin API: one client with a renewed token and errors that name what failed."""

import time
from collections.abc import Callable
from typing import Any

import httpx

from fhirstack.errors import UnreachableError
from fhirstack.patience import again
from fhirstack.secret import Secret

_RENEW_BEFORE_SECONDS = 10
ANSWER_SECONDS = 60
"""For an answer to one request. One that can be sent twice is then sent again."""
PATIENCE_SECONDS = 300
_PASSING = (httpx.TimeoutException, httpx.RemoteProtocolError)


class KeycloakAdmin:
    """Speaks to ``<base>/admin`` as a service client of the master realm."""

    def __init__(
        self,
        base: str,
        client_id: str,
        secret: Secret,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base = base
        self._client_id = client_id
        self._secret = secret
        self._http = httpx.Client(timeout=ANSWER_SECONDS, transport=transport)
        self._token = ""
        self._expires = 0.0

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def token(self) -> str:
        """Return an access token of the master realm: administration's own."""
        if time.monotonic() >= self._expires:
            self._log_in()
        return self._token

    def get(self, path: str, **params: Any) -> Any:
        """GET below ``/admin/realms``; None for 404."""
        response = self._send("GET", path, params=params)
        return None if response.status_code == 404 else response.json()

    def post(self, path: str, body: Any) -> str:
        """POST; returns the id at the end of ``Location``, or an empty string."""
        response = self._send("POST", path, json=body)
        self._accept(response, "POST", path)
        return str(response.headers.get("Location", "")).rsplit("/", 1)[-1]

    def put(self, path: str, body: Any = None) -> None:
        """PUT."""
        self._accept(self._send("PUT", path, json=body), "PUT", path)

    def delete(self, path: str, body: Any = None) -> None:
        """DELETE; what is gone already is fine."""
        response = self._send("DELETE", path, json=body)
        if response.status_code != 404:
            self._accept(response, "DELETE", path)

    def _send(
        self, method: str, path: str, *, params: dict[str, Any] | None = None, json: Any = None
    ) -> httpx.Response:
        def send(timeout: float | None = None) -> httpx.Response:
            return self._http.request(
                method,
                f"{self.base}/admin/realms{path}",
                params=params or None,
                json=json,
                headers={"Authorization": f"Bearer {self.token()}"},
                timeout=timeout or self._http.timeout,
            )

        # What POST makes must not be made twice: its one answer is waited for.
        once = method == "POST"
        response = self._asked(lambda: send(PATIENCE_SECONDS) if once else send(), once=once)
        if method == "GET" and response.status_code != 404:
            self._accept(response, method, path)
        return response

    def _log_in(self) -> None:
        response = self._asked(
            lambda: self._http.post(
                f"{self.base}/realms/master/protocol/openid-connect/token",
                data={"grant_type": "client_credentials"},
                auth=(self._client_id, self._secret.reveal()),
            )
        )
        if response.status_code != 200:
            raise UnreachableError(
                f"Keycloak refuses the administration client {self._client_id}"
                f" ({response.status_code})",
                where=self.base,
                remedy="Its secret was changed: put the old one back, or create the client anew.",
            )
        answer = response.json()
        self._token = answer["access_token"]
        self._expires = time.monotonic() + answer["expires_in"] - _RENEW_BEFORE_SECONDS

    def _asked(self, send: Callable[[], httpx.Response], *, once: bool = False) -> httpx.Response:
        try:
            return again(send, () if once else _PASSING, seconds=PATIENCE_SECONDS)
        except httpx.TimeoutException as error:
            raise UnreachableError(
                f"Keycloak is slow: no answer in {PATIENCE_SECONDS} s",
                where=self.base,
                remedy="Is the machine busy? Run the command again: it goes on where it was.",
            ) from error
        except httpx.HTTPError as error:
            raise UnreachableError(f"Keycloak does not answer: {error}", where=self.base) from error

    @staticmethod
    def _accept(response: httpx.Response, method: str, path: str) -> None:
        if response.status_code >= 400:
            try:
                answer = response.json()
                reason = answer.get("errorMessage") or answer.get("error_description") or answer
            except ValueError:
                reason = response.text[:200]
            raise UnreachableError(
                f"Keycloak answered {response.status_code} to {method} {path}: {reason}"
            )
