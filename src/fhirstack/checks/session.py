"""A verification session: the environment, ways into it, and tokens."""

import ssl
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Lock, RLock
from typing import Any
from urllib.parse import quote

import httpx

from fhirstack.errors import UnreachableError
from fhirstack.model.site import Environment
from fhirstack.patience import HANG_SECONDS
from fhirstack.planes.iam.admin import KeycloakAdmin
from fhirstack.secret import Secret
from fhirstack.services.workload import Endpoint


@dataclass(frozen=True)
class Person:
    """A user made for the checks; ``user_id`` is empty for another, who is not put to sleep."""

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
    mover: Person
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
class Shared:
    """What all checks of a session have in common, those that run at the same time too."""

    tokens: dict[str, tuple[dict[str, str], float]] = field(default_factory=dict)
    """By user name, the pipelines' under "": what came, and until when it is given out again."""
    asking: RLock = field(default_factory=RLock)
    """Held while a token is asked for, so that it is asked for once."""
    needed: Counter[str] = field(default_factory=Counter)
    """By a user's id: how many checks need that this one may log in."""
    waking: Lock = field(default_factory=Lock)
    stopped: Event = field(default_factory=Event)


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
    shared: Shared = field(default_factory=Shared)
    _awake: dict[str, str] = field(default_factory=dict)
    """By user name: the ids of those whom this check woke."""

    def of_one_check(self) -> "Session":
        """Return the same session for one check, which wakes people and lets them rest again."""
        return replace(self, _awake={})

    def stop(self) -> None:
        """Let no check go on."""
        self.shared.stopped.set()

    def go_on(self) -> None:
        """Raise KeyboardInterrupt when the session was stopped."""
        if self.shared.stopped.is_set():
            raise KeyboardInterrupt

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

    def wake(self, person: Person) -> Person:
        """Let a person log in, until ``rest``; one who may already is left alone."""
        if person.user_id and person.username not in self._awake:
            with self.shared.waking:
                if not self.shared.needed[person.user_id]:
                    self._enable(person.user_id, enabled=True)
                self.shared.needed[person.user_id] += 1
                self._awake[person.username] = person.user_id
        return person

    def rest(self) -> None:
        """Let nobody log in any more whom no other check needs."""
        if not self._awake:
            return
        _, user_id = self._awake.popitem()
        try:
            with self.shared.waking:
                self.shared.needed[user_id] -= 1
                if not self.shared.needed[user_id]:
                    self._enable(user_id, enabled=False)
        finally:
            self.rest()

    def _enable(self, user_id: str, *, enabled: bool) -> None:
        path = f"/{quote(self.environment.realm.name)}/users/{user_id}"
        user = self.admin.get(path)
        if user is not None:
            self.admin.put(path, {**user, "enabled": enabled})

    def tokens_of(self, person: Person) -> dict[str, str]:
        """Return a person's tokens by the Android app's grant, asked for again before they end.

        The person is woken also where another check's tokens are given out: Keycloak takes none of
        somebody who rests.
        """
        self.wake(person)
        return self._kept(
            person.username,
            lambda: self.grant(
                grant_type="password",
                client_id=self.environment.realm.clients.android.id,
                username=person.username,
                password=person.password.reveal(),
                scope="openid",
            ),
        )

    def pipeline_token(self) -> str:
        """Return an access token of the pipelines client, asked for again before it ends."""
        client = self.environment.realm.clients.pipelines.id
        tokens = self._kept(
            "",
            lambda: self.http.post(
                self.token_endpoint,
                data={"grant_type": "client_credentials"},
                auth=(client, self.secrets["client-pipelines"].reveal()),
            ),
        )
        return tokens["access_token"]

    def _kept(self, name: str, ask: Callable[[], httpx.Response]) -> dict[str, str]:
        with self.shared.asking:
            tokens, until = self.shared.tokens.get(name, ({}, 0.0))
            if time.monotonic() >= until:
                asked = time.monotonic()
                response = ask()
                if response.status_code != 200:
                    raise UnreachableError(
                        f"no token for {name or 'the pipelines'}: {response.status_code}"
                        f" {response.text[:200]}"
                    )
                tokens = response.json()
                # Its last third is for whatever is asked with it on a slow machine.
                until = asked + int(tokens["expires_in"]) * 2 / 3
                self.shared.tokens[name] = tokens, until
        return tokens

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
        # Who does not ask for FHIR gets of a Binary its content.
        sent = {"Accept": "application/fhir+json", **(headers or {})}
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
    return httpx.Client(verify=context, timeout=HANG_SECONDS, follow_redirects=False)
