"""Keycloak's Admin API: one client with a renewed token and errors that name what failed."""

import time
from typing import Any

import httpx

from fhirstack.errors import UnreachableError
from fhirstack.secret import Secret

_RENEW_BEFORE_SECONDS = 10


class KeycloakAdmin:
    """Speaks to ``<base>/admin`` as a service client of the master realm."""

    def __init__(self, base: str, client_id: str, secret: Secret, *, timeout: float = 30) -> None:
        self.base = base
        self._client_id = client_id
        self._secret = secret
        self._http = httpx.Client(timeout=timeout)
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
        token = self.token()
        try:
            response = self._http.request(
                method,
                f"{self.base}/admin/realms{path}",
                params=params or None,
                json=json,
                headers={"Authorization": f"Bearer {token}"},
            )
        except httpx.HTTPError as error:
            raise UnreachableError(f"Keycloak does not answer: {error}", where=self.base) from error
        if method == "GET" and response.status_code != 404:
            self._accept(response, method, path)
        return response

    def _log_in(self) -> None:
        try:
            response = self._http.post(
                f"{self.base}/realms/master/protocol/openid-connect/token",
                data={"grant_type": "client_credentials"},
                auth=(self._client_id, self._secret.reveal()),
            )
        except httpx.HTTPError as error:
            raise UnreachableError(f"Keycloak does not answer: {error}", where=self.base) from error
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
