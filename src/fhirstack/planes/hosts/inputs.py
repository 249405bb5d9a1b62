"""The secrets and certificates of an environment, from their store beside the site file."""

import datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fhirstack.bundle.programs import disk_error
from fhirstack.errors import UnreachableError
from fhirstack.model.site import Environment
from fhirstack.planes.hosts import provided
from fhirstack.planes.hosts.desired.inputs import Certificate, Inputs, edge_purpose
from fhirstack.planes.hosts.store import Asked, Store
from fhirstack.services import catalogue


def store_of(site_directory: Path, environment: Environment) -> Store:
    """Return the environment's store: ``secrets/<environment>`` beside the site file."""
    now = datetime.datetime.now(datetime.UTC)
    return Store(site_directory / environment.secrets_directory, environment, now)


def inputs_for(site_directory: Path, environment: Environment, store: Store) -> Inputs:
    """Return what the desired state needs, each when it is asked for. Writes nothing.

    What is not there is drafted in the store. Raises UnreachableError for a file that does not
    serve.
    """

    @cache
    def provided_for() -> dict[str, Certificate]:
        if environment.tls.issuer != "provided":
            return {}
        return {
            edge_purpose(one.name): one.certificate
            for one in provided.look(site_directory, environment, store.now).names
            if one.certificate
        }

    def certificate(purpose: str) -> Certificate:
        theirs = provided_for().get(purpose) if purpose.startswith(edge_purpose("")) else None
        return theirs or store.certificate(purpose)

    return Inputs(
        secrets=Asked(catalogue.SECRETS, store.secret),
        certificates=Asked(store.purposes, certificate),
        own=store.public,
        monitoring_authority=_authority(
            site_directory, environment.monitoring.authority, "monitoring.authority"
        ),
        acme_authority=_authority(
            site_directory, environment.tls.acme_authority, "tls.acme_authority"
        ),
    )


def _authority(site_directory: Path, name: str | None, key: str) -> str | None:
    """Return the certificates, as PEM text, of a file that a key of the site names."""
    if name is None:
        return None
    path = site_directory / Path(name).expanduser()
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        remedy = f"Put the authority's certificate there, or mend `{key}`."
        raise disk_error(error, path, remedy=remedy) from error
    except ValueError as error:
        raise UnreachableError(
            "has no certificate (PEM)",
            where=str(path),
            remedy=f"`{key}` is to be the certificate of an authority.",
        ) from error
    return "".join(one.public_bytes(Encoding.PEM).decode("ascii") for one in found)
