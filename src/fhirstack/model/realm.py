"""The programme's Keycloak realm: the page's three OAuth2 clients, tokens, logins.

Every flow of a client is a flag of its own, so that what the page says of each can be checked.
"""

from pydantic import Field

from fhirstack.model.base import Model
from fhirstack.model.types import Identifier


class _Client(Model):
    """What an OAuth2 client may do: every flow off until a kind of client turns it on."""

    id: Identifier
    public: bool = Field(default=False, description="Without a secret (Client Authentication off)")
    standard_flow: bool = Field(default=False, description="Authorization Code grant")
    implicit_flow: bool = Field(default=False, description="Never in production")
    direct_access_grants: bool = Field(
        default=False, description="Resource Owner Password Credentials grant"
    )
    service_account: bool = Field(default=False, description="Client Credentials grant")


class AndroidClient(_Client):
    """The Android app's OAuth2 client: public, direct access grants only (the page)."""

    id: Identifier = Field(default="opensrp-android", description="The client_id")
    public: bool = Field(default=True, description="Without a secret (Client Authentication off)")
    direct_access_grants: bool = Field(
        default=True, description="Resource Owner Password Credentials grant"
    )


class WebClient(_Client):
    """FHIR Web's OAuth2 client: confidential, standard flow (the page)."""

    id: Identifier = Field(default="fhir-web", description="The client_id")
    standard_flow: bool = Field(default=True, description="Authorization Code grant")


class PipelinesClient(_Client):
    """The data pipelines' OAuth2 client: confidential, service account only (the page)."""

    id: Identifier = Field(default="data-pipelines", description="The client_id")
    service_account: bool = Field(default=True, description="Client Credentials grant")


class SupersetClient(_Client):
    """Superset's OAuth2 client: confidential, standard flow, and for logging in only.

    Not among the page's three: its tokens open neither the FHIR gateway nor user management.
    """

    id: Identifier = Field(default="superset", description="The client_id")
    standard_flow: bool = Field(default=True, description="Authorization Code grant")


Client = AndroidClient | WebClient | PipelinesClient | SupersetClient


class Clients(Model):
    """The three OAuth2 clients of the page, and Superset's."""

    android: AndroidClient = Field(default=AndroidClient(), description="The Android app")
    web: WebClient = Field(default=WebClient(), description="FHIR Web")
    pipelines: PipelinesClient = Field(
        default=PipelinesClient(), description="Data pipelines and analytics"
    )
    superset: SupersetClient = Field(default=SupersetClient(), description="Superset's logins")


class Tokens(Model):
    """Token lifetimes. Short access tokens; sessions that outlive days without a network."""

    access_minutes: int = Field(default=10, ge=1, le=60, description="Life of an access token")
    session_idle_days: int = Field(
        default=30, ge=1, le=365, description="How long a device may stay without a network"
    )
    session_max_days: int = Field(
        default=90, ge=1, le=365, description="After which people log in again"
    )


_PASSWORD_POLICY = (
    "length(10) and notUsername(undefined) and notEmail(undefined) and passwordHistory(3)"  # noqa: S105
)


class Realm(Model):
    """The programme's Keycloak realm."""

    name: Identifier = Field(default="opensrp", description="Part of every token's issuer")
    display_name: str = Field(
        default="OpenSRP", min_length=1, description="What people see on the login page"
    )
    password_policy: str = Field(default=_PASSWORD_POLICY, description="Keycloak's password policy")
    login_failures: int = Field(default=10, ge=3, le=100, description="Before a temporary lock")
    tokens: Tokens = Field(default=Tokens(), description="Token lifetimes")
    clients: Clients = Field(default=Clients(), description="The page's three OAuth2 clients")
