"""The store of an environment's secrets and certificates: made once, kept, renewed."""

import datetime
import os
import ssl

import pytest
from cryptography import x509
from tests.unit.hosts.desired_site import changed, environment

from fhirstack.certificates import NAME_DAYS, make_authority, make_certificate
from fhirstack.errors import UnreachableError
from fhirstack.planes.hosts import authority
from fhirstack.planes.hosts.inputs import inputs_for
from fhirstack.planes.local.account import Account

NOW = datetime.datetime.now(datetime.UTC)
OWN = Account("me", os.geteuid(), os.getegid())


def _ensure(directory, where=None, now=NOW):
    return authority.ensure(directory, where or environment(), OWN, now)


def test_what_is_made_is_kept_and_closed_to_others(tmp_path):
    first, second = (inputs_for(tmp_path, environment()) for _ in range(2))
    assert first == second
    store = tmp_path / "secrets" / "staging"
    paths = [store, *store.rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_file()} == {0o600}
    assert "SECRET" not in repr(first.secrets)
    assert "PRIVATE" not in repr(first)


def test_certificates_are_for_names_and_addresses(tmp_path):
    public, found = _ensure(tmp_path)
    assert set(found) == {
        "postgresql",
        "redis",
        *(f"edge/{name}" for name in environment().dns_names.values()),
    }
    certificate = x509.load_pem_x509_certificate(found["postgresql"].chain.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["staging-db.staging.internal", "staging-db"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == [
        "10.10.0.51",
        "fd00:10::51",
    ]
    assert found["postgresql"].key.reveal().startswith("-----BEGIN PRIVATE KEY-----")
    assert ssl.create_default_context(cadata=public).get_ca_certs()


def test_they_are_renewed_before_their_end(tmp_path):
    old = NOW - datetime.timedelta(days=NAME_DAYS - 10)
    public, before = _ensure(tmp_path, now=old)
    again, after = _ensure(tmp_path)
    assert again == public
    assert all(before[purpose] != after[purpose] for purpose in before)


def test_another_address_makes_them_anew(tmp_path):
    _, before = _ensure(tmp_path)
    hosts = environment().model_dump()["hosts"]
    for host in hosts:
        if host["role"] == "database":
            host["address"] = "10.10.0.99"
    _, after = _ensure(tmp_path, changed(hosts=hosts))
    assert before["redis"] != after["redis"]


def test_a_certificate_of_another_authority_is_left_alone(tmp_path):
    _ensure(tmp_path)
    other = make_authority("example.org", NOW, title="Another CA")
    name = environment().dns_name("fhir")
    old = NOW - datetime.timedelta(days=NAME_DAYS)
    path = tmp_path / "edge" / f"{name}.pem"
    path.write_bytes(make_certificate(other, name, old).pem())
    before = path.read_bytes()
    _, found = _ensure(tmp_path)
    assert path.read_bytes() == before
    assert found[f"edge/{name}"].chain in before.decode()


def test_a_damaged_file_is_named(tmp_path):
    _ensure(tmp_path)
    (tmp_path / "redis.pem").write_text("junk")
    with pytest.raises(UnreachableError, match=r"redis\.pem"):
        _ensure(tmp_path)


def test_monitorings_authority_is_read(tmp_path):
    where = changed(monitoring={"graylog": "graylog.example.net", "authority": "own/ca.pem"})
    path = tmp_path / "own/ca.pem"
    with pytest.raises(UnreachableError, match="No such file"):
        inputs_for(tmp_path, where)
    path.parent.mkdir()
    path.write_text("x")
    with pytest.raises(UnreachableError, match="has no certificate"):
        inputs_for(tmp_path, where)
    pair = make_authority("example.net", NOW)
    path.write_bytes(b"Of people: a comment\n" + pair.pem())
    # The key that lies with it goes nowhere.
    assert inputs_for(tmp_path, where).monitoring_authority == pair.public.decode()
