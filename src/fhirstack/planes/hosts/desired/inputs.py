"""What the desired state of hosts needs beside the site: secrets and certificates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fhirstack.secret import Secret


@dataclass(frozen=True)
class Certificate:
    """A certificate with those between it and its authority, and its key: both as PEM text."""

    chain: str
    key: Secret
    stands_in: bool = False
    """Whether it is only for a server that has none: it takes no other's place."""


@dataclass(frozen=True)
class Inputs:
    """Secrets by name; certificates by purpose: ``postgresql``, ``redis``, ``edge/<DNS name>``.

    Both may make what is not there when it is asked for: so ask for what a host needs, alone.
    ``own``: returns the PEM text of the environment's own authority; ``monitoring_authority``,
    ``acme_authority``: those of monitoring and of an ACME server, where the site names one.
    """

    secrets: Mapping[str, Secret] = field(default_factory=dict)
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    own: Callable[[], str] = lambda: ""
    monitoring_authority: str | None = None
    acme_authority: str | None = None

    @property
    def authority(self) -> str:
        """The environment's own authority, for clients."""
        return self.own()


def edge_purpose(name: str) -> str:
    """Return the purpose of the certificate of a DNS name."""
    return f"edge/{name}"
