"""The secrets and certificates of an environment, from their store beside the site file."""

import datetime
import os
import pwd
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fhirstack.bundle.programs import disk_error
from fhirstack.errors import UnreachableError
from fhirstack.model.site import Environment
from fhirstack.planes.hosts import authority, provided
from fhirstack.planes.hosts.desired.inputs import Inputs, edge_purpose
from fhirstack.planes.local import secrets
from fhirstack.planes.local.account import Account, make_directory
from fhirstack.services import catalogue


def inputs_for(site_directory: Path, environment: Environment) -> Inputs:
    """Return what the desired state needs; what is missing is made, what is there is kept.

    The store is ``secrets/<environment>`` below ``site_directory``, for its owner only. Raises
    UnreachableError for a file that does not serve.
    """
    own = pwd.getpwuid(os.geteuid())
    owner = Account(own.pw_name, own.pw_uid, own.pw_gid)
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
        monitoring_authority=_monitoring_authority(site_directory, environment),
    )


def _monitoring_authority(site_directory: Path, environment: Environment) -> str | None:
    """Return the certificates, as PEM text, by which hosts know monitoring."""
    name = environment.monitoring.authority
    if name is None:
        return None
    path = site_directory / Path(name).expanduser()
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        remedy = "Put monitoring's authority there, or mend `monitoring.authority`."
        raise disk_error(error, path, remedy=remedy) from error
    except ValueError as error:
        raise UnreachableError(
            "has no certificate (PEM)", where=str(path), remedy="Put monitoring's authority there."
        ) from error
    return "".join(one.public_bytes(Encoding.PEM).decode("ascii") for one in found)
