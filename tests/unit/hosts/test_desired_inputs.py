"""The store of an environment's secrets and certificates: made once, kept, renewed, never lost."""

import datetime
import os
import ssl
from ipaddress import ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.unit.hosts.desired_site import changed, environment

from fhirstack.certificates import NAME_DAYS, is_of, make_authority, make_certificate
from fhirstack.errors import CheckFailedError, UnreachableError
from fhirstack.planes.hosts import authority
from fhirstack.planes.hosts.inputs import inputs_for, store_of
from fhirstack.planes.hosts.store import Store
from fhirstack.planes.local.account import Account
from fhirstack.services import catalogue

NOW = datetime.datetime.now(datetime.UTC)
OWN = Account("me", os.geteuid(), os.getegid())
EDGE = f"edge/{environment().dns_name('fhir')}"


def drafted(directory, where=None, now=NOW, asked=None):
    """Ask a store for certificates; return them and the store."""
    store = Store(directory, where or environment(), now)
    return {purpose: store.certificate(purpose) for purpose in asked or store.purposes}, store


def kept(directory, where=None, now=NOW):
    found, store = drafted(directory, where, now)
    store.keep(OWN)
    return found


def content(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_asking_writes_nothing_and_what_is_kept_stays_closed_to_others(tmp_path):
    store = store_of(tmp_path, environment())
    first = inputs_for(tmp_path, environment(), store)
    values = dict(first.secrets), dict(first.certificates), first.authority
    assert list(tmp_path.iterdir()) == []
    assert {change.action for change in (d.change for d in store.drafts.values())} == {"create"}
    store.keep(OWN)
    again = store_of(tmp_path, environment())
    second = inputs_for(tmp_path, environment(), again)
    assert (dict(second.secrets), dict(second.certificates), second.authority) == values
    assert again.drafts == {}
    place = tmp_path / "secrets" / "staging"
    paths = [place, *place.rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_file()} == {0o600}
    assert "PRIVATE" not in repr(store.drafts)
    assert not any(value.reveal() in repr(store.drafts) for value in values[0].values())


def test_only_what_is_asked_for_is_made(tmp_path):
    store = store_of(tmp_path, environment())
    found = inputs_for(tmp_path, environment(), store)
    assert store.drafts == {}
    # Before the first apply nothing ends.
    assert store_of(tmp_path, environment()).due() == ()
    assert set(found.secrets) == set(catalogue.SECRETS)
    found.secrets["redis-admin"]
    assert list(store.drafts) == ["site/secret:redis-admin"]
    found.certificates["redis"]
    assert list(store.drafts)[1:] == ["site/authority:staging", "site/certificate:redis"]
    with pytest.raises(KeyError):
        found.secrets["another"]


def test_certificates_are_for_names_and_addresses(tmp_path):
    found, store = drafted(tmp_path)
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
    assert ssl.create_default_context(cadata=store.public()).get_ca_certs()


def test_they_are_renewed_before_their_end_under_the_same_authority(tmp_path):
    before = kept(tmp_path, now=NOW - datetime.timedelta(days=NAME_DAYS - 10))
    old = content(tmp_path)
    after, store = drafted(tmp_path)
    assert content(tmp_path) == old
    assert all(before[purpose] != after[purpose] for purpose in before)
    assert store.drafts.keys() == {f"site/certificate:{purpose}" for purpose in before}
    assert not any(draft.replaces for draft in store.drafts.values())
    assert all("it ends on" in draft.reason for draft in store.drafts.values())
    assert "PRIVATE" not in repr(store.drafts)
    due = Store(tmp_path, environment(), NOW).due()
    assert [one.partition(": it ends on ")[0] for one in due] == [
        "certificate:postgresql",
        "certificate:redis",
    ]
    store.keep(OWN)
    assert drafted(tmp_path)[0] == after
    assert Store(tmp_path, environment(), NOW).due() == ()
    # What was there before is somewhere still.
    assert set(old.values()) <= set(content(tmp_path).values())


def hosts(edit):
    found = environment().model_dump()["hosts"]
    edit({host["name"]: host for host in found})
    return changed(hosts=found)


def another_address(by_name):
    by_name["staging-db"]["address"] = "10.10.0.99"


def swapped_roles(by_name):
    by_name["staging-db"]["role"], by_name["staging-nfs"]["role"] = "nfs", "database"


@pytest.mark.parametrize("edit", [another_address, swapped_roles])
def test_a_database_that_moves_keeps_the_authority(tmp_path, edit):
    before = kept(tmp_path)
    after, store = drafted(tmp_path, hosts(edit))
    assert store.drafts.keys() == {"site/certificate:postgresql", "site/certificate:redis"}
    assert before["redis"] != after["redis"]
    assert not any(draft.replaces for draft in store.drafts.values())


def other_domain(directory):
    return changed(domain="other.example.net"), NOW


def other_network(directory):
    values = environment().model_dump()
    values["network"] |= {"cluster_network": "10.99.0.0/24"}
    for host in values["hosts"]:
        host["address"] = str(host["address"]).replace("10.10.0.", "10.99.0.")
    return type(environment()).model_validate(values), NOW


def near_its_end(directory):
    return environment(), NOW + datetime.timedelta(days=3630)


def another_kind_of_key(directory):
    """An RSA authority was put there by hand."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pair = make_authority("x", NOW)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "tls/authority.pem").write_bytes(pair.public + pem)
    return environment(), NOW


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (other_domain, "it may not sign for fhir.other.example.net and "),
        (other_network, "it may not sign for 10.99.0.51"),
        (near_its_end, "it ends on "),
        (another_kind_of_key, "its key is none"),
    ],
)
def test_an_authority_that_cannot_go_on_is_replaced_only_when_it_is_kept(tmp_path, edit, reason):
    kept(tmp_path)
    where, now = edit(tmp_path)
    before = content(tmp_path)
    found, store = drafted(tmp_path, where, now)
    assert content(tmp_path) == before
    draft = store.drafts["site/authority:staging"]
    assert draft.replaces
    assert draft.reason.startswith(reason)
    assert (draft.change.action, draft.change.disrupts) == ("update", True)
    # Nothing of the old one goes on, and nothing of it is lost.
    new = store.authority().certificate
    for one in found.values():
        assert is_of(x509.load_pem_x509_certificate(one.chain.encode()), new)
    store.keep(OWN)
    assert drafted(tmp_path, where, now)[1].drafts == {}
    after = content(tmp_path)
    assert set(before.values()) <= set(after.values())
    assert (tmp_path / "replaced").stat().st_mode & 0o777 == 0o700


def test_the_certificates_that_an_earlier_authority_signed_are_ours(tmp_path):
    """One whose copy nobody kept is known by its name."""
    kept(tmp_path, changed(domain="other.example.net"))
    (tmp_path / "tls/authority.pem").write_bytes(authority.new(environment(), NOW).pem())
    _, store = drafted(tmp_path, asked=["redis"])
    assert store.drafts["site/certificate:redis"].reason.startswith("another authority")


def test_what_another_wrote_meanwhile_is_not_written_over(tmp_path):
    _, first = drafted(tmp_path)
    _, second = drafted(tmp_path)
    first.secret("redis-admin")
    second.secret("redis-admin")
    first.keep(OWN)
    before = content(tmp_path)
    with pytest.raises(CheckFailedError, match="changed since it was looked at"):
        second.keep(OWN)
    assert content(tmp_path) == before


def test_a_certificate_of_another_authority_is_left_alone(tmp_path):
    kept(tmp_path)
    other = make_authority("example.org", NOW, title="Another CA")
    name = environment().dns_name("fhir")
    old = NOW - datetime.timedelta(days=NAME_DAYS)
    path = tmp_path / "tls" / "edge" / f"{name}.pem"
    path.write_bytes(make_certificate(other, name, old).pem())
    before = path.read_bytes()
    assert kept(tmp_path)[f"edge/{name}"].chain in before.decode()
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["redis.pem", "authority.pem"])
def test_a_damaged_file_is_named(tmp_path, name):
    kept(tmp_path)
    (tmp_path / "tls" / name).write_text("junk")
    with pytest.raises(UnreachableError, match=name.replace(".", r"\.")):
        drafted(tmp_path)


def test_an_authority_of_an_earlier_version_goes_on(tmp_path):
    """It was made for the addresses of one host, one by one."""
    pair = make_authority(
        environment().domain,
        NOW,
        title="fhirstack CA of staging",
        names=["staging.internal", "staging-db"],
        networks=[ip_network("10.10.0.51"), ip_network("fd00:10::51")],
    )
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls/authority.pem").write_bytes(pair.pem())
    _, store = drafted(tmp_path)
    assert "site/authority:staging" not in store.drafts


def test_monitorings_authority_is_read(tmp_path):
    where = changed(monitoring={"graylog": "graylog.example.net", "authority": "own/ca.pem"})
    path = tmp_path / "own/ca.pem"

    def read():
        return inputs_for(tmp_path, where, store_of(tmp_path, where)).monitoring_authority

    with pytest.raises(UnreachableError, match="No such file"):
        read()
    path.parent.mkdir()
    path.write_text("x")
    with pytest.raises(UnreachableError, match="has no certificate"):
        read()
    pair = make_authority("example.net", NOW)
    path.write_bytes(b"Of people: a comment\n" + pair.pem())
    # The key that lies with it goes nowhere.
    assert read() == pair.public.decode()
