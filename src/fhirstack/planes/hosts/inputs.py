"""The secrets and certificates of an environment, from their store beside the site file."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fhirstack.bundle.programs import disk_error
from fhirstack.errors import UnreachableError
from fhirstack.model.site import Environment
from fhirstack.planes.hosts import authority, provided
from fhirstack.planes.hosts.desired.inputs import Inputs, edge_purpose
from fhirstack.planes.local import secrets
from fhirstack.planes.local.account import make_directory, own_account
from fhirstack.services import catalogue


def inputs_for(site_directory: Path, environment: Environment) -> Inputs:
    """Return what the desired state needs; what is missing is made, what is there is kept.

    The store is ``secrets/<environment>`` below ``site_directory``, for its owner only. Raises
    UnreachableError for a file that does not serve.
    """
    owner = own_account()
    store = site_directory / environment.secrets_directory
    for place in (store.parent, store):
        make_directory(place, owner)
    values = secrets.ensure(store, catalogue.SECRETS, owner)
    now = datetime.datetime.now(datetime.UTC)
    public, certificates = authority.ensure(store / "tls", environment, owner, now)
    if environment.tls.issuer == "provided":
        certificates |= {
            edge_purpose(one.name): one.certificate
            for one in provided.look(site_directory, environment, now).names
            if one.certificate
        }
    return Inputs(
        secrets=values,
        certificates=certificates,
        authority=public,
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
