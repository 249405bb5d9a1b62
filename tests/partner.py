"""A partner's certificate authority: what signs the requests for a site's own certificates."""

import datetime
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    CertificateIssuerPublicKeyTypes,
)
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)

_SIGNS = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def signed(
    subject: str,
    public: CertificateIssuerPublicKeyTypes,
    issuer: str,
    key: CertificateIssuerPrivateKeyTypes,
    *,
    names: Iterable[str] = (),
    first: float = -1,
    last: float = 90,
    authority: bool = False,
) -> x509.Certificate:
    """Return a certificate; it is valid between two days, counted from now."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + first * DAY)
        .not_valid_after(NOW + last * DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    # Python's clients are strict since 3.13: who signed is to be named by its key.
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
    ).add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    if authority:
        builder = builder.add_extension(_SIGNS, critical=True)
    if alternatives := [x509.DNSName(name) for name in names]:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(key, hashes.SHA256())


def pem(*certificates: x509.Certificate) -> bytes:
    """Return certificates as one file of text."""
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


_ROOT_KEY, BETWEEN_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
ROOT = signed("Root", _ROOT_KEY.public_key(), "Root", _ROOT_KEY, authority=True)
BETWEEN = signed("Between", BETWEEN_KEY.public_key(), "Root", _ROOT_KEY, authority=True)


def answer(request: Path) -> list[str]:
    """Sign a request, put the chain beside it, and return the names that it was for."""
    asked = x509.load_pem_x509_csr(request.read_bytes())
    if not asked.is_signature_valid:
        raise ValueError(f"{request}: who asks does not have the key")
    wanted = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names = wanted.get_values_for_type(x509.DNSName)
    made = signed("x", asked.public_key(), "Between", BETWEEN_KEY, names=names)
    request.with_suffix(".crt").write_bytes(pem(made, BETWEEN, ROOT))
    return names
