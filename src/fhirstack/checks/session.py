"""A verification session: the environment, ways into it, and tokens."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from fhirstack.errors import UnreachableError
from fhirstack.model.site import Environment
from fhirstack.planes.iam.admin import KeycloakAdmin
from fhirstack.secret import Secret
from fhirstack.services.workload import Endpoint


@dataclass(frozen=True)
class Person:
    """A user made for the checks, with the records of the same side."""

    username: str
    password: Secret
    user_id: str


@dataclass(frozen=True)
class Cast:
    """Who and what the checks use: two health workers, each with a team and a patient."""

    nurse: Person
    colleague: Person
    web: Person
    administrator: Person
    viewer: Person
    app_id: str
    team: str
    patient: str
    observation: str
    other_team: str
    other_patient: str
    other_observation: str
    short_lived: str
    """An access token that lived for one second from when the cast was made."""


@dataclass
class Session:
    """What checks are given. ``inside`` holds addresses that nobody outside may reach."""

    environment: Environment
    admin: KeycloakAdmin
    backend: httpx.Client
    http: httpx.Client
    authority: Path | None
    secrets: Mapping[str, Secret]
    inside: Mapping[tuple[str, str], Endpoint]
    local_root: Path | None = None
    sync: Callable[[], Mapping[str, Any]] | None = None
    """Runs the pipelines once and returns what was done; None where there is no way to."""
    cast: Cast | None = None
    _tokens: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def people(self) -> Cast:
        """The people of the checks. Raises UnreachableError where they could not be made."""
        if self.cast is None:
            raise UnreachableError("the users of the checks could not be made")
        return self.cast

    @property
    def token_endpoint(self) -> str:
        """The realm's token endpoint, as clients call it."""
        return f"{self.environment.issuer}/protocol/openid-connect/token"

    def grant(self, **form: str) -> httpx.Response:
        """Ask the token endpoint."""
        return self.http.post(self.token_endpoint, data=form)

    def tokens_of(self, person: Person) -> dict[str, str]:
        """Return the tokens of a person by the Android app's grant; asked for once."""
        if person.username not in self._tokens:
            response = self.grant(
                grant_type="password",
                client_id=self.environment.realm.clients.android.id,
                username=person.username,
                password=person.password.reveal(),
                scope="openid",
            )
            if response.status_code != 200:
                raise UnreachableError(
                    f"no token for {person.username}: {response.status_code} {response.text[:200]}"
                )
            self._tokens[person.username] = response.json()
        return self._tokens[person.username]

    def pipeline_token(self) -> str:
        """Return an access token of the pipelines client; asked for once."""
        if "" not in self._tokens:
            client = self.environment.realm.clients.pipelines.id
            response = self.http.post(
                self.token_endpoint,
                data={"grant_type": "client_credentials"},
                auth=(client, self.secrets["client-pipelines"].reveal()),
            )
            if response.status_code != 200:
                raise UnreachableError(
                    f"no token for {client}: {response.status_code} {response.text[:200]}"
                )
            self._tokens[""] = response.json()
        return self._tokens[""]["access_token"]

    def fhir(
        self,
        method: str,
        path: str,
        token: str | Person | None = None,
        *,
        json: object = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Ask the gateway at its public address. ``path`` is relative to the FHIR base."""
        if isinstance(token, Person):
            token = self.tokens_of(token)["access_token"]
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if json is not None:
            sent.setdefault("Content-Type", "application/fhir+json")
        base = self.environment.fhir_base
        url = path if path.startswith("https://") else f"{base}/{path}" if path else base
        return self.http.request(method, url, json=json, data=form, headers=sent)


def trusting_client(authority: Path | None) -> httpx.Client:
    """Return a client that verifies TLS, with a local authority where the environment has one."""
    context = ssl.create_default_context(cafile=str(authority) if authority else None)
    return httpx.Client(verify=context, timeout=60, follow_redirects=False)
