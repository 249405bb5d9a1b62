"""A local certificate authority, and one certificate a name.

The authority may sign for names below the stack's own domain only (name constraints), so that
trusting it in a browser gives nobody power over other names.
"""

import datetime
import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PKCS12Certificate,
    serialize_java_truststore,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fhirstack.errors import UnreachableError
from fhirstack.planes.local.account import Account, make_directory, write_file

AUTHORITY_DAYS = 3650
NAME_DAYS = 397
RENEW_DAYS = 30
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        """Return certificate and key as HAProxy reads them: in one file."""
        return self.certificate.public_bytes(serialization.Encoding.PEM) + self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, NoEncryption()
        )


def make_authority(domain: str, now: datetime.datetime) -> Pair:
    """Return a new authority for names below ``domain``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"fhirstack local CA ({domain})")])
    builder = (
        _builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(certificates=True), critical=True)
        .add_extension(
            x509.NameConstraints(permitted_subtrees=[x509.DNSName(domain)], excluded_subtrees=None),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Pair(builder.sign(key, hashes.SHA256()), key)


def make_certificate(authority: Pair, name: str, now: datetime.datetime) -> Pair:
    """Return a server certificate for one DNS name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = authority.certificate.subject
    builder = (
        _builder(subject, issuer, key.public_key(), now, NAME_DAYS)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
            critical=False,
        )
    )
    return Pair(builder.sign(authority.key, hashes.SHA256()), key)


def ensure(directory: Path, domain: str, names: tuple[str, ...], owner: Account) -> list[str]:
    """Put in place the authority, a certificate a name and the trust stores.

    Returns the names of what was made or renewed. ``ca.pem`` is for clients, ``trust.p12`` for
    Java, ``edge/<name>.pem`` for HAProxy.
    """
    now = datetime.datetime.now(datetime.UTC)
    made: list[str] = []
    make_directory(directory / "edge", owner)
    authority = _read(directory / "authority.pem")
    if authority is None or _expires_soon(authority.certificate, now):
        authority = make_authority(domain, now)
        certificate = authority.certificate
        write_file(directory / "authority.pem", authority.pem(), owner)
        made.append("local CA")
    else:
        certificate = authority.certificate
    public = certificate.public_bytes(serialization.Encoding.PEM)
    trust = directory / "trust.p12"
    if made or not trust.exists() or not (directory / "ca.pem").exists():
        write_file(directory / "ca.pem", public, owner, 0o644)
        store = serialize_java_truststore(
            [PKCS12Certificate(certificate, b"fhirstack-local")], NoEncryption()
        )
        write_file(trust, store, owner)
    for name in names:
        path = directory / "edge" / f"{name}.pem"
        pair = _read(path)
        if pair is None or made[:1] == ["local CA"] or _expires_soon(pair.certificate, now):
            write_file(path, make_certificate(authority, name, now).pem(), owner)
            made.append(name)
    for path in (directory / "edge").glob("*.pem"):
        if path.stem not in names:
            path.unlink()
    return made


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


def _read(path: Path) -> Pair | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        key = serialization.load_pem_private_key(data, password=None)
        certificate = x509.load_pem_x509_certificate(data)
    except ValueError as error:
        raise UnreachableError(
            "is not a certificate with its key",
            where=str(path),
            remedy="Remove the file: the next `up` makes a new one.",
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    return Pair(certificate, key)


def _expires_soon(certificate: x509.Certificate, now: datetime.datetime) -> bool:
    return certificate.not_valid_after_utc - now < RENEW_DAYS * _DAY


def digest(directory: Path) -> str:
    """Return a digest of the public part of all certificates; of those that are there."""
    found = hashlib.sha256()
    for path in sorted([*directory.glob("ca.pem"), *directory.glob("edge/*.pem")]):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        found.update(certificate.fingerprint(hashes.SHA256()))
    return found.hexdigest()[:16]
