"""A certificate authority of one's own, and certificates of servers. Pure: keys aside.

The authority may sign for names and networks that it was made for only (name constraints), so
that trusting it gives nobody power over other names.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fhirstack.model.base import IpAddress, IpNetwork

AUTHORITY_DAYS = 3650
NAME_DAYS = 397
RENEW_DAYS = 30
LONGEST_COMMON_NAME = 64
"""Characters (RFC 5280, ub-common-name)."""
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def public(self) -> bytes:
        """The certificate alone, as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def private(self) -> bytes:
        """The key alone, as PEM."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, NoEncryption()
        )

    def pem(self) -> bytes:
        """Return certificate and key as HAProxy reads them: in one file."""
        return self.public + self.private


def parse(data: bytes) -> Pair | None:
    """Read what ``pem`` wrote; None for a key of another kind. Raises ValueError for no pair."""
    key = serialization.load_pem_private_key(data, password=None)
    certificate = x509.load_pem_x509_certificate(data)
    return Pair(certificate, key) if isinstance(key, ec.EllipticCurvePrivateKey) else None


def make_authority(
    domain: str,
    now: datetime.datetime,
    *,
    title: str = "fhirstack local CA",
    names: Iterable[str] = (),
    networks: Iterable[IpNetwork] = (),
) -> Pair:
    """Return a new authority for names below ``domain`` and ``names``, and for ``networks``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"{title} ({domain})"[:LONGEST_COMMON_NAME])]
    )
    permitted: list[x509.GeneralName] = [x509.DNSName(item) for item in (domain, *names)]
    permitted += [x509.IPAddress(network) for network in networks]
    builder = (
        _builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(certificates=True), critical=True)
        .add_extension(
            x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Pair(builder.sign(key, hashes.SHA256()), key)


def make_certificate(
    authority: Pair,
    name: str,
    now: datetime.datetime,
    *,
    names: Iterable[str] = (),
    addresses: Iterable[IpAddress] = (),
) -> Pair:
    """Return a server's certificate for one DNS name, and for further names and addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = subject_of(name)
    issuer = authority.certificate.subject
    alternatives: list[x509.GeneralName] = [x509.DNSName(item) for item in (name, *names)]
    alternatives += [x509.IPAddress(address) for address in addresses]
    builder = (
        _builder(subject, issuer, key.public_key(), now, NAME_DAYS)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=not list(subject))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
            critical=False,
        )
    )
    return Pair(builder.sign(authority.key, hashes.SHA256()), key)


def subject_of(name: str) -> x509.Name:
    """Return the subject of a DNS name's certificate: none for a name that is too long for one.

    Clients read the alternative names, which must then be critical (RFC 5280, 4.2.1.6).
    """
    if len(name) > LONGEST_COMMON_NAME:
        return x509.Name([])
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def expires_soon(certificate: x509.Certificate, now: datetime.datetime) -> bool:
    """Whether it is time to renew a certificate."""
    return certificate.not_valid_after_utc - now < RENEW_DAYS * _DAY


def covers(
    certificate: x509.Certificate, names: Iterable[str], addresses: Iterable[IpAddress] = ()
) -> bool:
    """Whether a certificate is for all of these names and addresses."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    known = set(found.get_values_for_type(x509.DNSName))
    held = set(found.get_values_for_type(x509.IPAddress))
    return known >= set(names) and held >= set(addresses)


def matches(certificate: x509.Certificate, name: str) -> bool:
    """Whether a client that asks for a name accepts it: as it is written, or by a wildcard.

    A wildcard stands for one label, the first (RFC 6125, 6.4.3).
    """
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    known = {known.lower() for known in found.get_values_for_type(x509.DNSName)}
    return not known.isdisjoint({name.lower(), f"*.{name.lower().partition('.')[2]}"})


def below(name: str, domains: Iterable[str]) -> bool:
    """Whether a DNS name is one of these domains, or below one (RFC 5280, 4.2.1.10)."""
    return any(name == domain or name.endswith(f".{domain}") for domain in domains)


def permits(authority: x509.Certificate, what: str | IpAddress) -> bool:
    """Whether an authority was made for a DNS name or an address."""
    try:
        found = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return False
    permitted = found.permitted_subtrees or []
    if isinstance(what, str):
        return below(what, (item.value for item in permitted if isinstance(item, x509.DNSName)))
    networks = (ip_network(item.value) for item in permitted if isinstance(item, x509.IPAddress))
    return any(what in network for network in networks)


def is_of(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether an authority signed a certificate."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + days * _DAY)
    )


def _key_usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )
