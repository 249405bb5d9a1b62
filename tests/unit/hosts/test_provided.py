"""Certificates of the site's own: whatever a partner sends back, in whatever files."""

import os
import shutil
import ssl
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
)
from cryptography.x509 import verification
from tests import partner
from tests.partner import BETWEEN, BETWEEN_KEY, DAY, NOW, ROOT, pem, signed
from tests.unit.hosts.desired_site import changed

from fhirstack.errors import UnreachableError
from fhirstack.planes.hosts import provided
from fhirstack.planes.hosts.inputs import inputs_for, store_of
from fhirstack.planes.local.account import Account

OWN = Account("me", os.geteuid(), os.getegid())
ENVIRONMENT = changed(tls={"issuer": "provided", "directory": "certificates"})
NAMES = list(dict.fromkeys(ENVIRONMENT.dns_names.values()))
FIRST, SECOND = NAMES[:2]
EVERY = f"*.{FIRST.partition('.')[2]}"


def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


KEY = rsa_key()


def leaf(names, key=KEY, **values):
    return signed("x", key.public_key(), "Between", BETWEEN_KEY, names=names, **values)


def private(key=KEY, passphrase=None):
    how = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, how)


def put(directory, **files):
    place = directory / "certificates"
    place.mkdir(exist_ok=True)
    for name, data in files.items():
        path = place / name.replace("__", ".")
        path.write_bytes(data)
        path.chmod(0o600)


def inputs(directory, where):
    return inputs_for(directory, where, store_of(directory, where))


def look(directory):
    return provided.look(directory, ENVIRONMENT, NOW)


@pytest.mark.parametrize(
    "files",
    [
        {"a__pem": pem(leaf(NAMES), BETWEEN, ROOT) + private()},
        {"a__pem": private() + pem(ROOT, BETWEEN, leaf(NAMES))},
        {"a__crt": pem(leaf([EVERY.upper()])), "b__pem": pem(BETWEEN, ROOT), "c__key": private()},
        {
            "a__CER": leaf(NAMES).public_bytes(Encoding.DER),
            "b__p7b": pkcs7.serialize_certificates([BETWEEN, ROOT], Encoding.DER),
            "c__key": private(),
        },
        {
            "b__p7b": pkcs7.serialize_certificates([leaf(NAMES), BETWEEN, ROOT], Encoding.PEM),
            "c__key": private(),
            "readme__txt": b"Not looked at",
        },
    ],
    ids=["one file", "the other way round", "a wildcard", "DER", "PKCS #7"],
)
def test_what_serves_is_found_by_its_content(tmp_path, files):
    put(tmp_path, **files)
    found = look(tmp_path)
    assert found.problems == ()
    assert [one.name for one in found.names] == NAMES
    for one in found.names:
        chain = x509.load_pem_x509_certificates(one.certificate.chain.encode())
        # The root is the client's own.
        assert [c.issuer.rfc4514_string() for c in chain] == ["CN=Between", "CN=Root"]
        assert one.issuer == "Between"
        both = tmp_path / "served.pem"
        both.write_text(one.certificate.chain + one.certificate.key.reveal())
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(both)
    assert "PRIVATE" not in repr(found)


OTHER = rsa_key()
OLD = leaf(NAMES, last=-0.5)


@pytest.mark.parametrize(
    ("files", "problem", "served"),
    [
        ({}, f"{FIRST}: no certificate for it is there", False),
        ({"a__pem": pem(leaf([SECOND]), BETWEEN, ROOT) + private()}, f"{FIRST}: no certif", False),
        ({"a__pem": pem(leaf([f"*.{FIRST}"]), BETWEEN)}, f"{FIRST}: no certif", False),
        ({"a__pem": pem(leaf(NAMES), BETWEEN, ROOT)}, "the private key of a.pem is not", False),
        (
            {"a__pem": pem(leaf(NAMES), BETWEEN, ROOT), "b__key": private(OTHER)},
            "the private key of a.pem is not there",
            False,
        ),
        (
            {"a__pem": pem(leaf(NAMES), BETWEEN, ROOT), "b__key": private(passphrase=b"x")},
            "b.key: its key has a passphrase",
            False,
        ),
        ({"a__pem": pem(leaf(NAMES)) + private()}, "its issuer, Between, is not there", True),
        ({"a__pem": pem(leaf(NAMES), BETWEEN) + private()}, "issuer, Root, is not there", True),
        ({"a__pem": pem(OLD, BETWEEN, ROOT) + private()}, f"ended on {NOW:%Y}", True),
        (
            {"a__pem": pem(leaf(NAMES, first=3), BETWEEN, ROOT) + private()},
            f"begins on {NOW + 3 * DAY:%Y-%m-%d}",
            True,
        ),
        (
            {"a__pem": pem(leaf(NAMES, last=20), BETWEEN, ROOT) + private()},
            f"ends on {NOW + 20 * DAY:%Y-%m-%d}: renew it",
            True,
        ),
        (
            {"a__pem": pem(signed("x", KEY.public_key(), "x", KEY, names=NAMES)) + private()},
            "signed by itself",
            True,
        ),
        ({"a__pem": pem(leaf(NAMES), BETWEEN, ROOT) + private(), "b__crt": b"?"}, "b.crt: ", True),
        (
            {"a__pem": pem(leaf(NAMES), BETWEEN, ROOT) + private(), "b__pem": b"-----BEGIN"},
            "b.pem: unreadable",
            True,
        ),
        (
            {"a__pem": pem(leaf(NAMES), BETWEEN, ROOT) + private(), "b__pem": bytes(2 << 20)},
            "b.pem: is too large",
            True,
        ),
    ],
)
def test_what_does_not_serve_is_named(tmp_path, files, problem, served):
    put(tmp_path, **files)
    found = look(tmp_path)
    assert any(problem in one for one in found.problems), found.problems
    assert (found.names[0].certificate is not None) is served


def test_what_was_renewed_is_taken_and_the_old_one_may_stay(tmp_path):
    put(tmp_path, a__pem=pem(OLD, BETWEEN, ROOT) + private())
    new = leaf(NAMES, OTHER)
    put(tmp_path, b__pem=pem(new) + private(OTHER))
    found = look(tmp_path)
    assert found.problems == ()
    assert {one.until for one in found.names} == {new.not_valid_after_utc}


def test_a_directory_that_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "certificates").write_text("")
    with pytest.raises(UnreachableError, match="Not a directory"):
        look(tmp_path)


@pytest.mark.parametrize("together", [False, True])
def test_requests_are_signed_and_then_served(tmp_path, together):
    requests = provided.request(tmp_path, ENVIRONMENT, OWN, together=together)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.key")}
    assert {path.parent for path in before} == {tmp_path / "secrets/staging/tls/requests"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in before} == {0o600}
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    # Asked again before the answer came: the same keys.
    assert provided.request(tmp_path, ENVIRONMENT, OWN, together=together) == requests
    assert {path: path.read_bytes() for path in before} == before
    named = [name for path in requests for name in partner.answer(path)]
    assert named == NAMES
    assert len(requests) == (1 if together else len(NAMES))
    assert look(tmp_path).problems == ()
    assert provided.request(tmp_path, ENVIRONMENT, OWN, together=together) == ()
    served = inputs(tmp_path, ENVIRONMENT).certificates
    for one in look(tmp_path).names:
        assert served[f"edge/{one.name}"] == one.certificate
        assert not one.certificate.stands_in


def test_until_they_come_the_own_authority_serves(tmp_path):
    assert provided.request(tmp_path, ENVIRONMENT, OWN)
    found = inputs(tmp_path, ENVIRONMENT)
    own = x509.load_pem_x509_certificate(found.authority.encode())
    for name in NAMES:
        served = x509.load_pem_x509_certificate(found.certificates[f"edge/{name}"].chain.encode())
        assert served.issuer == own.subject
        assert found.certificates[f"edge/{name}"].stands_in
    assert not found.certificates["postgresql"].stands_in


def test_a_key_that_is_none_is_not_written_over(tmp_path):
    provided.request(tmp_path, ENVIRONMENT, OWN)
    path = tmp_path / f"secrets/staging/tls/requests/{FIRST}.key"
    path.write_text("x")
    with pytest.raises(UnreachableError, match="is no key that was made here"):
        provided.request(tmp_path, ENVIRONMENT, OWN)
    assert path.read_text() == "x"


def test_a_key_that_others_can_read_is_told(tmp_path):
    put(tmp_path, a__pem=pem(leaf(NAMES), BETWEEN, ROOT) + private())
    (tmp_path / "certificates/a.pem").chmod(0o640)
    assert look(tmp_path).problems == ("a.pem: others can read its key: `chmod 600` it",)


def test_a_chain_that_is_not_whole_asks_for_no_new_certificate(tmp_path):
    put(tmp_path, a__pem=pem(leaf(NAMES)) + private())
    assert look(tmp_path).problems
    assert provided.request(tmp_path, ENVIRONMENT, OWN) == ()
    put(tmp_path, a__pem=pem(leaf(NAMES, last=20), BETWEEN, ROOT) + private())
    assert len(provided.request(tmp_path, ENVIRONMENT, OWN)) == len(NAMES)


def test_long_names_have_certificates_too(tmp_path):
    label = "a" * 60
    where = changed(
        domain=f"{label}.example.org", tls={"issuer": "provided", "directory": "certificates"}
    )
    assert all(len(name) > 64 for name in where.dns_names.values())
    requests = provided.request(tmp_path, where, OWN)
    for path in requests:
        partner.answer(path)
    assert provided.look(tmp_path, where, NOW).problems == ()
    # And the environment's own authority signs for them.
    shutil.rmtree(tmp_path / "certificates")
    found = inputs(tmp_path, where)
    for name in where.dns_names.values():
        served = x509.load_pem_x509_certificate(found.certificates[f"edge/{name}"].chain.encode())
        assert accepted(found.authority, served, name)


def accepted(authority, certificate, name):
    """Judge by the rules of browsers, with one root that is trusted."""
    store = verification.Store([x509.load_pem_x509_certificate(authority.encode())])
    verifier = verification.PolicyBuilder().store(store).build_server_verifier(x509.DNSName(name))
    return verifier.verify(certificate, [])
