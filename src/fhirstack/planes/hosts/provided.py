"""Certificates that the site provides: requests for them, and a look at what came.

The page: "If Let's Encrypt is not used, certificates and private keys of the CSR (Certificate
Signing Request) must be provided". Keys are made here and stay in the environment's store; keys
that come with their certificates are taken too. What lies in the directory is known by its
content: names of files, their order and what is in one file together do not matter.
"""

import datetime
import ssl
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
)
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from fhirstack.bundle.programs import disk_error
from fhirstack.certificates import RENEW_DAYS, expires_soon, is_of, matches, subject_of
from fhirstack.errors import UnreachableError
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.inputs import Certificate
from fhirstack.planes.local.account import Account, make_directory, write_file
from fhirstack.secret import Secret

_SUFFIXES = frozenset({".pem", ".crt", ".cer", ".der", ".p7b", ".key"})
_LARGEST = 1 << 20
"""Bytes of a file that is read: a chain has a few thousand."""


@dataclass(frozen=True)
class Provided:
    """What is there for one DNS name."""

    name: str
    certificate: Certificate | None = None
    """Its chain and key; None: nothing that could be served."""
    issuer: str = ""
    until: datetime.datetime | None = None
    problem: str = ""


@dataclass(frozen=True)
class Look:
    """What is in a place: by name, and files that are of no use."""

    place: str
    names: tuple[Provided, ...]
    files: tuple[str, ...] = ()
    renewal: tuple[str, ...] = ()
    """What keeps them from being renewed."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that must be mended, each with the name or file that it is about."""
        wrong = (f"{one.name}: {one.problem}" for one in self.names if one.problem)
        return (*wrong, *self.files, *self.renewal)


@dataclass
class _Pool:
    """All certificates and keys that were found, each with the file it came from."""

    certificates: dict[x509.Certificate, Path]
    keys: dict[bytes, PrivateKeyTypes]
    problems: list[str]


def directory_of(site_directory: Path, environment: Environment) -> Path:
    """Return the directory of the site's certificates: relative paths begin at the site file."""
    return site_directory / Path(environment.tls.directory or "").expanduser()


def keys_of(site_directory: Path, environment: Environment) -> Path:
    """Return where the keys of requests are kept."""
    return site_directory / environment.secrets_directory / "tls" / "requests"


def look(site_directory: Path, environment: Environment, now: datetime.datetime) -> Look:
    """Judge what is provided for each name: certificate, key, chain and dates.

    Raises UnreachableError for a file or directory that cannot be read; a directory that is not
    there is empty.
    """
    directory = directory_of(site_directory, environment)
    pool = _read(directory, keys_of(site_directory, environment))
    trusted = _trusted()
    names = dict.fromkeys(environment.dns_names.values())
    found = tuple(_for_name(name, pool, trusted, now) for name in names)
    return Look(str(directory), found, tuple(pool.problems))


def _for_name(name: str, pool: _Pool, trusted: set[x509.Name], now: datetime.datetime) -> Provided:
    fitting = [one for one in pool.certificates if matches(one, name)]
    if not fitting:
        return Provided(name, problem="no certificate for it is there")
    with_key = [one for one in fitting if _public(one.public_key()) in pool.keys]
    # The one that serves longest: what was renewed lies beside the old one for a while.
    leaf = max(with_key or fitting, key=lambda one: one.not_valid_after_utc)
    issuer = shown(leaf.issuer)
    until = leaf.not_valid_after_utc
    if not with_key:
        file = pool.certificates[leaf].name
        problem = f"the private key of {file} is not there"
        return Provided(name, issuer=issuer, until=until, problem=problem)
    chain = _chain(leaf, pool.certificates)
    key = pool.keys[_public(leaf.public_key())]
    certificate = Certificate(
        "".join(one.public_bytes(Encoding.PEM).decode() for one in chain),
        Secret(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
        ),
    )
    problem = of_dates(leaf, now) or _of_chain(chain[-1], pool.certificates, trusted)
    return Provided(name, certificate, issuer, until, problem)


def of_dates(leaf: x509.Certificate, now: datetime.datetime) -> str:
    """Return what is wrong with a certificate's dates, or nothing."""
    if leaf.not_valid_before_utc > now:
        return f"its certificate begins on {leaf.not_valid_before_utc:%Y-%m-%d}"
    if leaf.not_valid_after_utc <= now:
        return f"its certificate ended on {leaf.not_valid_after_utc:%Y-%m-%d}"
    if expires_soon(leaf, now):
        return f"its certificate ends on {leaf.not_valid_after_utc:%Y-%m-%d}: renew it"
    return ""


def _of_chain(
    last: x509.Certificate, known: Iterable[x509.Certificate], trusted: set[x509.Name]
) -> str:
    """Return what is missing above the last certificate that is served."""
    if last.issuer == last.subject:
        return "its certificate is signed by itself: phones and browsers will refuse"
    if last.issuer in trusted or any(is_of(last, one) for one in known):
        return ""
    return (
        f"the certificate of its issuer, {shown(last.issuer)}, is not there, and this machine"
        " does not know it: phones and browsers will refuse"
    )


def _chain(leaf: x509.Certificate, known: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """Return a certificate and those between it and its root, which clients have themselves."""
    between = [one for one in known if one.issuer != one.subject]
    chain = [leaf]
    while above := next(
        (one for one in between if one not in chain and is_of(chain[-1], one)), None
    ):
        chain.append(above)
    return chain


def _trusted() -> set[x509.Name]:
    """Return the names of the authorities that this machine trusts."""
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    with warnings.catch_warnings():
        # Some roots of long ago are not as today's rules have it: they are trusted all the same.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return {x509.load_der_x509_certificate(data).subject for data in found}


def shown(name: x509.Name) -> str:
    """Return a name as people know it: its common name, if it has one."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _public(key: object) -> bytes:
    """Return a public key in the form by which pairs are found."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined,no-any-return]


def _read(directory: Path, keys: Path) -> _Pool:
    pool = _Pool({}, {}, [])
    for place in (directory, keys):
        for path in _files(place):
            try:
                if path.stat().st_size > _LARGEST:
                    pool.problems.append(f"{path.name}: is too large for a certificate or key")
                    continue
                data = path.read_bytes()
            except OSError as error:
                raise disk_error(error, path) from error
            try:
                certificates, key = _parsed(data)
            except (ValueError, TypeError, UnsupportedAlgorithm) as error:
                # TypeError: a key with a passphrase, of which none is given.
                words = "its key has a passphrase" if isinstance(error, TypeError) else "unreadable"
                pool.problems.append(f"{path.name}: {words}: neither certificate nor key of use")
                continue
            pool.certificates |= dict.fromkeys(certificates, path)
            if key is not None:
                pool.keys[_public(key.public_key())] = key
                if path.stat().st_mode & 0o077:
                    pool.problems.append(f"{path.name}: others can read its key: `chmod 600` it")
    return pool


def _files(place: Path) -> Iterator[Path]:
    try:
        yield from sorted(
            path for path in place.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file()
        )
    except FileNotFoundError:
        return
    except OSError as error:
        raise disk_error(error, place) from error


def _parsed(data: bytes) -> tuple[list[x509.Certificate], PrivateKeyTypes | None]:
    """Return what a file holds. Raises ValueError, and TypeError for a key with a passphrase."""
    if b"-----BEGIN" not in data:
        try:
            return [x509.load_der_x509_certificate(data)], None
        except ValueError:
            return pkcs7.load_der_pkcs7_certificates(data), None
    if b"BEGIN PKCS7" in data:
        return pkcs7.load_pem_pkcs7_certificates(data), None
    certificates = x509.load_pem_x509_certificates(data) if b"BEGIN CERT" in data else []
    key = None
    if b"PRIVATE KEY-----" in data:
        key = serialization.load_pem_private_key(data, password=None)
    if not certificates and key is None:
        raise ValueError("neither certificate nor key")
    return certificates, key


def request(
    site_directory: Path, environment: Environment, owner: Account, *, together: bool = False
) -> tuple[Path, ...]:
    """Write a CSR for each name without a certificate, or with one that ends within 30 days.

    Returns the CSRs' paths. ``together``: one CSR for all names. A key that was made is used
    again, so that a certificate on its way still fits. Raises UnreachableError for what cannot be
    written.
    """
    directory = directory_of(site_directory, environment)
    keys = keys_of(site_directory, environment)
    now = datetime.datetime.now(datetime.UTC)
    found = look(site_directory, environment, now)
    late = now + datetime.timedelta(days=RENEW_DAYS)
    names = [
        one.name for one in found.names if not one.certificate or not one.until or one.until < late
    ]
    if not names:
        return ()
    store = site_directory / environment.secrets_directory
    for place in (store.parent, store, keys.parent, keys):
        make_directory(place, owner)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, directory) from error
    written = []
    if together:
        groups = {environment.name: [one.name for one in found.names]}
    else:
        groups = {name: [name] for name in names}
    for title, of in groups.items():
        key = _key(keys / f"{title}.key", owner)
        path = directory / f"{title}.csr"
        write_file(path, _signed(key, of), owner, 0o644)
        written.append(path)
    return tuple(written)


def _key(path: Path, owner: Account) -> ec.EllipticCurvePrivateKey:
    try:
        held = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        held = ec.generate_private_key(ec.SECP256R1())
        content = held.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_file(path, content, owner)
    except OSError as error:
        raise disk_error(error, path) from error
    except (ValueError, TypeError, UnsupportedAlgorithm):
        held = None
    if not isinstance(held, ec.EllipticCurvePrivateKey):
        raise UnreachableError(
            "is no key that was made here", where=str(path), remedy="Put it back, or remove it."
        )
    return held


def _signed(key: ec.EllipticCurvePrivateKey, names: list[str]) -> bytes:
    subject = subject_of(names[0])
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    builder = builder.add_extension(alternatives, critical=not list(subject))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
