"""What can go wrong between this connector and a FHIR server, and whose matter it is."""

from typing import Literal

Fault = Literal["config_error", "transient_error", "system_error"]


class FhirError(Exception):
    """The base of all errors here. Its text names the request and the remedy, never a secret.

    `fault` has the values of the Airbyte protocol's failure types.
    """

    fault: Fault = "system_error"


class ConfigurationError(FhirError):
    """The configuration, the credentials or the server's rules must be changed."""

    fault: Fault = "config_error"


class UnreachableError(FhirError):
    """The server did not answer usefully in as many attempts as are allowed."""

    fault: Fault = "transient_error"


class StatusError(FhirError):
    """The server answered with a status that repeating does not change."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
        if status in (401, 403):
            self.fault = "config_error"


class TooLargeError(FhirError):
    """An answer was longer than its limit and was abandoned while it arrived.

    `head` holds its first bytes.
    """

    def __init__(self, message: str, head: bytes) -> None:
        super().__init__(message)
        self.head = head


class MalformedError(FhirError):
    """An answer is not the JSON that it should be. Asking again may help."""


class TooDeepError(MalformedError):
    """An answer nests deeper than JSON parsers follow. Asking again does not help."""


class LinkError(FhirError):
    """A link of a Bundle leads elsewhere, or in a circle."""

    fault: Fault = "config_error"
