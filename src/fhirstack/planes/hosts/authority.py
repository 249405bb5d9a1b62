"""An environment's own certificate authority, and what it signs. Pure, but for reading a file.

PostgreSQL and Redis are known by it inside of the environment. A certificate of it stands in for a
public name until its own is there. What another authority signed is not ours, and stays.
"""

import datetime
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from fhirstack import certificates
from fhirstack.bundle.programs import disk_error
from fhirstack.certificates import Pair
from fhirstack.errors import UnreachableError
from fhirstack.model.base import IpAddress, IpNetwork
from fhirstack.model.host import Role
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.inputs import Certificate, edge_purpose
from fhirstack.secret import Secret

DATABASE_PURPOSES = ("postgresql", "redis")
NAME = "authority.pem"
_END_OF_CERTIFICATE = "-----END CERTIFICATE-----\n"


@dataclass(frozen=True)
class Wanted:
    """What a certificate is to be for: the first name is its subject."""

    names: tuple[str, ...]
    addresses: tuple[IpAddress, ...] = ()


def wanted(environment: Environment) -> dict[str, Wanted]:
    """Return the certificates of an environment by their purpose."""
    found = {
        purpose: Wanted((environment.internal_name(host), host.name), host.addresses)
        for host in environment.hosts_of(Role.DATABASE)
        for purpose in DATABASE_PURPOSES
    }
    names = environment.dns_names.values()
    return found | {edge_purpose(name): Wanted((name,)) for name in names}


def new(environment: Environment, now: datetime.datetime) -> Pair:
    """Return a new authority: for every host and name of the environment, wherever one moves.

    So another address or role of a host makes a certificate anew, and not the authority.
    """
    network = environment.network
    domains = (environment.internal_domain, environment.domain)
    single = {host.name for host in environment.hosts} | {
        name for name in environment.dns_names.values() if not certificates.below(name, domains)
    }
    networks: list[IpNetwork] = [
        one for one in (network.cluster_network, network.cluster_network6) if one
    ]
    for host in environment.hosts:
        for address in host.addresses:
            if not any(address in one for one in networks):
                networks.append(ip_network(address))
    return certificates.make_authority(
        environment.domain,
        now,
        title=_title(environment),
        names=(environment.internal_domain, *sorted(single)),
        networks=networks,
    )


def unfit(pair: Pair | None, environment: Environment, now: datetime.datetime) -> str:
    """Return why an authority cannot go on, or nothing. None: its key is of another kind."""
    if pair is None:
        return "its key is none that certificates can be signed with here"
    held = pair.certificate
    if certificates.expires_soon(held, now):
        return f"it ends on {held.not_valid_after_utc:%Y-%m-%d}"
    missing = [
        str(item)
        for need in wanted(environment).values()
        for item in (*need.names, *need.addresses)
        if not certificates.permits(held, item)
    ]
    if not missing:
        return ""
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"it may not sign for {missing[0]}{more}"


def stale(
    text: str, need: Wanted, authority: Pair, environment: Environment, now: datetime.datetime
) -> str:
    """Return why a certificate of ours must be made anew, or nothing."""
    held = x509.load_pem_x509_certificate(text.encode())
    current = certificates.is_of(held, authority.certificate)
    if not current and not _common_name(held.issuer).startswith(f"{_title(environment)} ("):
        return ""
    if not current:
        return "another authority of the environment signed it"
    if certificates.expires_soon(held, now):
        return f"it ends on {held.not_valid_after_utc:%Y-%m-%d}"
    if not certificates.covers(held, need.names, need.addresses):
        return f"it is not for {', '.join(map(str, (*need.names, *need.addresses)))}"
    return ""


def signed(authority: Pair, need: Wanted, now: datetime.datetime) -> str:
    """Return a new certificate with its key after it."""
    first, *rest = need.names
    pair = certificates.make_certificate(
        authority, first, now, names=rest, addresses=need.addresses
    )
    return pair.pem().decode()


def as_certificate(purpose: str, text: str) -> Certificate:
    """Return the parts of a file that `read` or `signed` returned."""
    chain, end, key = text.rpartition(_END_OF_CERTIFICATE)
    return Certificate(chain + end, Secret(key.lstrip()), purpose not in DATABASE_PURPOSES)


def public(directory: Path) -> x509.Certificate | None:
    """Return the authority's certificate, where one was made already."""
    text = read(directory / NAME)
    return None if text is None else x509.load_pem_x509_certificate(text.encode())


def read(path: Path) -> str | None:
    """Return a file of certificates with their key after them; None where there is none.

    Raises UnreachableError for another file.
    """
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise disk_error(error, path) from error
    remedy = "Put it back; or remove the file: a new one is made."
    try:
        certificates.parse(text.encode())
    except ValueError as error:
        raise UnreachableError(
            "is not a certificate with its key", where=str(path), remedy=remedy
        ) from error
    if "PRIVATE KEY" not in text.rpartition(_END_OF_CERTIFICATE)[2]:
        raise UnreachableError(
            "has its key before its certificates", where=str(path), remedy=remedy
        )
    return text


def _title(environment: Environment) -> str:
    return f"fhirstack CA of {environment.name}"


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""
