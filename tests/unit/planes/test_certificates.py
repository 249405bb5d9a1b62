import datetime
import os
import ssl

import pytest
from cryptography import x509

from fhirstack.errors import UnreachableError
from fhirstack.planes.local import certificates
from fhirstack.planes.local.account import Account

OWN = Account("me", os.geteuid(), os.getegid())
NAMES = ("fhir.one.localhost", "keycloak.one.localhost")


def test_what_is_made_is_kept(tmp_path):
    assert certificates.ensure(tmp_path, "one.localhost", NAMES, OWN) == ["local CA", *NAMES]
    digest = certificates.digest(tmp_path)
    assert certificates.ensure(tmp_path, "one.localhost", NAMES, OWN) == []
    assert certificates.digest(tmp_path) == digest
    modes = {p.name: p.stat().st_mode & 0o777 for p in tmp_path.rglob("*.p*")}
    assert modes.pop("ca.pem") == 0o644
    assert set(modes.values()) == {0o600}


def test_a_name_that_is_gone_loses_its_certificate(tmp_path):
    certificates.ensure(tmp_path, "one.localhost", NAMES, OWN)
    certificates.ensure(tmp_path, "one.localhost", NAMES[:1], OWN)
    assert [p.stem for p in (tmp_path / "edge").iterdir()] == [NAMES[0]]


def test_the_authority_is_bound_to_the_stacks_domain():
    authority = certificates.make_authority("one.localhost", datetime.datetime.now(datetime.UTC))
    constraints = authority.certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees == [x509.DNSName("one.localhost")]


@pytest.mark.parametrize("days", [certificates.NAME_DAYS - certificates.RENEW_DAYS + 2])
def test_a_certificate_is_renewed_before_its_end(tmp_path, days):
    old = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
    authority = certificates.make_authority("one.localhost", old)
    certificates.ensure(tmp_path, "one.localhost", NAMES, OWN)
    certificates.write_file(tmp_path / "authority.pem", authority.pem(), OWN)
    pair = certificates.make_certificate(authority, NAMES[0], old)
    certificates.write_file(tmp_path / "edge" / f"{NAMES[0]}.pem", pair.pem(), OWN)
    assert certificates.ensure(tmp_path, "one.localhost", NAMES, OWN) == [NAMES[0]]


def test_a_damaged_file_is_named(tmp_path):
    certificates.ensure(tmp_path, "one.localhost", NAMES, OWN)
    (tmp_path / "authority.pem").write_text("junk")
    with pytest.raises(UnreachableError, match=r"authority\.pem"):
        certificates.ensure(tmp_path, "one.localhost", NAMES, OWN)


def test_openssl_accepts_the_authority(tmp_path):
    certificates.ensure(tmp_path, "one.localhost", NAMES, OWN)
    assert ssl.create_default_context(cafile=str(tmp_path / "ca.pem")).get_ca_certs()
