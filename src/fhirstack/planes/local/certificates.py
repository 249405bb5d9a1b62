"""The local stack's certificate authority, and one certificate a name, as files."""

import datetime
import hashlib
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PKCS12Certificate,
    serialize_java_truststore,
)

from fhirstack.certificates import (
    NAME_DAYS,
    RENEW_DAYS,
    Pair,
    expires_soon,
    make_authority,
    make_certificate,
    parse,
)
from fhirstack.errors import UnreachableError
from fhirstack.planes.local.account import Account, make_directory, write_file

__all__ = ["NAME_DAYS", "RENEW_DAYS", "digest", "ensure", "make_authority", "make_certificate"]


def ensure(directory: Path, domain: str, names: tuple[str, ...], owner: Account) -> list[str]:
    """Put in place the authority, a certificate a name and the trust stores.

    Returns the names of what was made or renewed. ``ca.pem`` is for clients, ``trust.p12`` for
    Java, ``edge/<name>.pem`` for HAProxy.
    """
    now = datetime.datetime.now(datetime.UTC)
    made: list[str] = []
    make_directory(directory / "edge", owner)
    authority = _read(directory / "authority.pem")
    if authority is None or expires_soon(authority.certificate, now):
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
        if pair is None or made[:1] == ["local CA"] or expires_soon(pair.certificate, now):
            write_file(path, make_certificate(authority, name, now).pem(), owner)
            made.append(name)
    for path in (directory / "edge").glob("*.pem"):
        if path.stem not in names:
            path.unlink()
    return made


def _read(path: Path) -> Pair | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return parse(data)
    except ValueError as error:
        raise UnreachableError(
            "is not a certificate with its key",
            where=str(path),
            remedy="Remove the file: the next `up` makes a new one.",
        ) from error


def digest(directory: Path) -> str:
    """Return a digest of the public part of all certificates; of those that are there."""
    found = hashlib.sha256()
    for path in sorted([*directory.glob("ca.pem"), *directory.glob("edge/*.pem")]):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        found.update(certificate.fingerprint(hashes.SHA256()))
    return found.hexdigest()[:16]
