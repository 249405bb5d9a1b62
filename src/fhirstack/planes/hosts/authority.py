"""An environment's own certificate authority, and the certificates of its servers, as files.

PostgreSQL and Redis are known by it inside of the environment. A certificate of it stands in for a
public name until its own is there. A file that another authority signed is never written over.
"""

import datetime
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from cryptography import x509

from fhirstack import certificates
from fhirstack.bundle.programs import disk_error
from fhirstack.certificates import Pair
from fhirstack.errors import UnreachableError
from fhirstack.model.base import IpAddress
from fhirstack.model.host import Role
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.inputs import Certificate, edge_purpose
from fhirstack.planes.local.account import Account, make_directory, write_file
from fhirstack.secret import Secret

DATABASE_PURPOSES = ("postgresql", "redis")
_END_OF_CERTIFICATE = "-----END CERTIFICATE-----\n"


@dataclass(frozen=True)
class Wanted:
    """What a certificate is to be for: the first name is its subject."""

    names: tuple[str, ...]
    addresses: tuple[IpAddress, ...] = ()


def wanted(environment: Environment) -> dict[str, Wanted]:
    """Return the certificates of an environment by their purpose. Pure."""
    found = {
        purpose: Wanted((environment.internal_name(host), host.name), host.addresses)
        for host in environment.hosts_of(Role.DATABASE)
        for purpose in DATABASE_PURPOSES
    }
    names = environment.dns_names.values()
    return found | {edge_purpose(name): Wanted((name,)) for name in names}


def ensure(
    directory: Path, environment: Environment, owner: Account, now: datetime.datetime
) -> tuple[str, dict[str, Certificate]]:
    """Return the authority and the certificates; what is missing, old or too narrow is made.

    Raises UnreachableError for a file that is no certificate with its key.
    """
    for place in (directory, directory / "edge"):
        make_directory(place, owner)
    needs = wanted(environment)
    authority = _authority(directory, environment, needs, owner, now)
    public = authority.public.decode()
    found = {}
    for purpose, need in needs.items():
        path = directory / f"{purpose}.pem"
        held = _read(path)
        if held is None or _is_stale(held, need, authority, now):
            held = _made(authority, need, now)
            write_file(path, held.encode(), owner)
        chain, end, key = held.rpartition(_END_OF_CERTIFICATE)
        stands_in = purpose not in DATABASE_PURPOSES
        found[purpose] = Certificate(chain + end, Secret(key.lstrip()), stands_in)
    return public, found


def public(directory: Path) -> x509.Certificate | None:
    """Return the authority's certificate, where one was made already."""
    text = _read(directory / "authority.pem")
    return None if text is None else x509.load_pem_x509_certificate(text.encode())


def _authority(
    directory: Path,
    environment: Environment,
    needs: dict[str, Wanted],
    owner: Account,
    now: datetime.datetime,
) -> Pair:
    path = directory / "authority.pem"
    domains = (environment.domain, environment.internal_domain)
    single = sorted({name for need in needs.values() for name in need.names})
    names = [domains[1], *(n for n in single if not n.endswith(tuple(f".{d}" for d in domains)))]
    networks = [ip_network(a) for need in needs.values() for a in need.addresses]
    networks = list(dict.fromkeys(networks))
    text = _read(path)
    if text is not None:
        pair = certificates.parse(text.encode())
        if (
            pair
            and not certificates.expires_soon(pair.certificate, now)
            and certificates.permits(pair.certificate, (environment.domain, *names), networks)
        ):
            return pair
    pair = certificates.make_authority(
        environment.domain,
        now,
        title=f"fhirstack CA of {environment.name}",
        names=names,
        networks=networks,
    )
    write_file(path, pair.pem(), owner)
    return pair


def _made(authority: Pair, need: Wanted, now: datetime.datetime) -> str:
    first, *rest = need.names
    pair = certificates.make_certificate(
        authority, first, now, names=rest, addresses=need.addresses
    )
    return pair.pem().decode()


def _is_stale(text: str, need: Wanted, authority: Pair, now: datetime.datetime) -> bool:
    """Whether a certificate of ours must be made anew. One of another authority is not ours."""
    held = x509.load_pem_x509_certificate(text.encode())
    if held.issuer != authority.certificate.subject:
        return False
    return (
        certificates.expires_soon(held, now)
        or not certificates.covers(held, need.names, need.addresses)
        or not certificates.is_of(held, authority.certificate)
    )


def _read(path: Path) -> str | None:
    """Return a file of certificates with their key after them; None where there is none."""
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
