"""FHIR Web's settings as a visitor's browser gets them.

Nothing that the pages decide is assumed: state, root location and addresses are what ``config.js``
says. Where FHIR Web is not installed, they are what it would say.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from fhirstack.checks.check import FailedError, SkippedError, status_is
from fhirstack.checks.session import Session
from fhirstack.services.fhir_web import pages

_CONFIG = re.compile(r"\s*window\._env_\s*=\s*(\{.*\})\s*;?\s*", re.DOTALL)


@dataclass(frozen=True)
class Pages:
    """What the pages are told. ``installed``: whether it was read from them."""

    settings: Mapping[str, str]
    installed: bool

    def __getitem__(self, name: str) -> str:
        """Return a setting by its name without ``REACT_APP_``. Raises FailedError for none."""
        value = self.settings.get(f"REACT_APP_{name}", "")
        if not value:
            raise FailedError(f"config.js does not say REACT_APP_{name}")
        return value

    @property
    def callback(self) -> str:
        """Where a log-in ends: the pages put it together of their origin."""
        return f"{self['DOMAIN_NAME']}/oauth/callback/OpenSRP/"

    def authorization(self, **more: str) -> str:
        """Return where the pages send a visitor to log in: by code, with their state."""
        query = {
            "client_id": self["OPENSRP_CLIENT_ID"],
            "redirect_uri": self.callback,
            "response_type": "code",
            "scope": self["OPENSRP_OAUTH_SCOPES"].replace(",", " "),
            "state": self["OPENSRP_OAUTH_STATE"],
            **more,
        }
        return f"{self['OPENSRP_AUTHORIZATION_URL']}?{urlencode(query)}"


def read(session: Session) -> Pages:
    """Return the pages' settings. Raises SkippedError where the environment has no FHIR Web."""
    environment = session.environment
    if not environment.runs("web"):
        raise SkippedError("FHIR Web is not among this environment's services")
    answer = session.http.get(f"{environment.url('web')}/config.js")
    if answer.status_code == 503:
        return Pages(pages.settings(environment), installed=False)
    status_is(answer, 200, what="config.js")
    match = _CONFIG.fullmatch(answer.text)
    if match is None:
        raise FailedError("config.js is not what the pages read: window._env_ = {…};")
    return Pages(json.loads(match[1]), installed=True)
