"""What the server says that it is, and what it lets this client read."""

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

import httpx
import msgspec

from .client import FhirClient
from .config import Config
from .errors import ConfigurationError, FhirError, MalformedError, StatusError, UnreachableError
from .links import shown


class _Interaction(msgspec.Struct):
    code: str = ""


class _Resource(msgspec.Struct):
    type: str = ""
    interaction: list[_Interaction] | None = None


class _Rest(msgspec.Struct):
    resource: list[_Resource] = []


class Capability(msgspec.Struct):
    """What of a CapabilityStatement is of use here."""

    resourceType: str | None = None  # noqa: N815 - FHIR's name
    fhirVersion: str | None = None  # noqa: N815 - FHIR's name
    rest: list[_Rest] = []

    @property
    def searchable(self) -> list[str]:
        """The types that can be searched for."""
        return [
            resource.type
            for rest in self.rest
            for resource in rest.resource
            if any(x.code == "search-type" for x in resource.interaction or [])
        ]


def _parse(body: bytes) -> Capability:
    try:
        return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"), type=Capability)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"it is no CapabilityStatement: {error}") from None


def statement(client: FhirClient, config: Config) -> Capability:
    """Raise ConfigurationError if this is not a FHIR R4 server, else as FhirClient.get."""
    url = f"{config.base}/metadata"
    try:
        found = client.get(url, _parse, limit=config.resource_limit, attempts=2).value
    except StatusError as error:
        if error.status in (401, 403):
            raise
        raise ConfigurationError(
            f"base_url is not that of a FHIR server, which would answer at /metadata: {error}"
        ) from error
    except UnreachableError as error:
        raise _reason(error, config) from error
    if found.resourceType != "CapabilityStatement":
        raise ConfigurationError(
            f"GET {shown(url)} gave {found.resourceType or 'another JSON'} rather than a "
            "CapabilityStatement: base_url is not that of a FHIR server"
        )
    version = found.fhirVersion or "?"
    if not version.startswith(("4.0.", "4.3.")):
        raise ConfigurationError(
            f"{config.base} speaks FHIR {version}; this source reads R4 (4.0, 4.3)"
        )
    return found


def _reason(error: UnreachableError, config: Config) -> FhirError:
    """Return the same error, with the remedy where the cause is known."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    host = httpx.URL(config.base).host
    if any(isinstance(x, socket.gaierror) for x in causes):
        return ConfigurationError(f"{host} is not known to the name service (DNS): {error}")
    verification = [x for x in causes if isinstance(x, ssl.SSLCertVerificationError)]
    if verification:
        return ConfigurationError(
            f"{host} has a certificate that is not trusted ({verification[0].verify_message}). "
            "Set ca_file to the certificate of its authority"
        )
    if any(isinstance(x, ssl.SSLError) for x in causes):
        return ConfigurationError(f"no TLS connection with {host}: {error}")
    if any(isinstance(x, ConnectionRefusedError) for x in causes):
        return ConfigurationError(f"nothing listens at {config.base}: {error}")
    return error


def types(client: FhirClient, config: Config) -> list[str]:
    """Return the types to read: those configured, or else all that can be searched for."""
    found = statement(client, config).searchable
    chosen = config.resource_types or found
    missing = [name for name in chosen if found and name not in found]
    if missing:
        raise ConfigurationError(f"the server cannot search for {', '.join(missing)}")
    if not chosen:
        raise ConfigurationError(
            "the CapabilityStatement names no types that can be searched for: set resource_types"
        )
    return list(dict.fromkeys(chosen))


def refusals(client: FhirClient, config: Config, names: list[str]) -> dict[str, FhirError]:
    """Return the types that cannot be read, each with its error."""

    def ask(name: str) -> FhirError | None:
        try:
            url = f"{config.base}/{name}?_count=1&_elements=id"
            client.get(url, lambda body: None, limit=config.resource_limit, attempts=2)
        except FhirError as error:
            return error
        return None

    with ThreadPoolExecutor(4) as pool:
        return {
            name: error for name, error in zip(names, pool.map(ask, names), strict=True) if error
        }
