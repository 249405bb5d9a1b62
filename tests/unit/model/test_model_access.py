"""Accounts, keys, fingerprints and addresses of both families: what is taken, and what is said."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.unit.hosts.desired_site import key

from fhirstack.errors import SiteError
from fhirstack.model.access import Access
from fhirstack.model.load import parse_site
from fhirstack.model.site import Environment
from fhirstack.model.template import site_template

TEXT = site_template()
SMALL = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it is to be refused
ANN = "        - {name: ann, keys: [" + f'"{key("ann")}"' + "]}\n"
STAGING = "    network:\n      public_address: 203.0.113.10 # CHANGE\n"


def _public(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _staging(access: str = "", network: str = "") -> Environment:
    text = TEXT.replace(STAGING, access + STAGING + network)
    return parse_site(text, "site.yaml").environments["staging"]


def _error(access: str = "", network: str = "") -> str:
    with pytest.raises(SiteError) as caught:
        _staging(access, network)
    (error,) = caught.value.errors
    return str(error)


def test_the_defaults() -> None:
    access = _staging("    access: {}\n").access
    assert access == Access()
    assert access.accounts == ("fhirstack",)


def test_keys_are_one_line_without_stray_space() -> None:
    text = f'    access: {{keys: ["  {key("tool").replace(" ", "   ")} "]}}\n'
    assert _staging(text).access.keys == (key("tool"),)


@pytest.mark.parametrize(
    "line",
    [
        _public(ec.generate_private_key(ec.SECP256R1())),
        _public(rsa.generate_private_key(65537, 2048)),
    ],
)
def test_other_kinds_of_keys(line: str) -> None:
    assert _staging(f'    access: {{keys: ["{line}"]}}\n').access.keys == (line,)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ssh-dss AAAA", "not a public key of a known type"),
        (f"restrict {key('a')}", "not a public key of a known type"),
        ("ssh-ed25519", "not a public key of a known type"),
        ("ssh-ed25519 not*base64", "not a whole public key"),
        (" ".join(key("a").split()[:2])[:-8], "not a whole public key"),
        ("ssh-ed25519 " + base64.b64encode(b"\0\0\0\7ssh-rsa").decode(), "not a whole public key"),
        (_public(SMALL), "not an RSA key of 2048 bits or more"),
    ],
)
def test_what_is_no_key(line: str, said: str) -> None:
    error = _error(f'    access: {{keys: ["{line}"]}}\n')
    assert error.startswith("site.yaml:")
    assert "environments.staging.access.keys[0]" in error
    assert f"is {said}" in error
    assert "write a line of a .pub file" in error


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ("    access: {user: Root}\n", "is not an account's name"),
        ("    access: {user: root}\n", "root is an account of the system"),
        (f"    access:\n      administrators:\n{ANN * 2}", "the account ann stands twice"),
        (
            f"    access:\n      user: ann\n      administrators:\n{ANN}",
            "the account ann stands twice",
        ),
        (
            "    access:\n      administrators:\n" + ANN.replace("ann, k", "fhirstack, k"),
            "fhirstack is the tool's own account",
        ),
        ("    access: {administrators: [{name: ann, keys: []}]}\n", "at least one entry"),
        ("    access: {administrators: [/a/key.pub]}\n", "is not a section of keys and values"),
    ],
)
def test_accounts(access: str, said: str) -> None:
    assert said in _error(access)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("      cluster_network6: 10.0.0.0/8\n", "is not an IPv6 network"),
        ('      cluster_network6: "fd00::1/64"\n', "is not an IPv6 network"),
        ("      public_address6: 10.0.0.1\n", "is not an IPv6 address"),
        ('      public_address6: "fe80::1%eth0"\n', "is not an IPv6 address"),
        ("      bastion: {host_key: abc}\n", "is not a host key's fingerprint"),
        (
            "      vantage_points: [{name: out, address: 192.0.2.9, user: a, zone: here}]\n",
            "is not one of the choices",
        ),
        (
            "      vantage_points:\n" + "        - {name: out, address: 192.0.2.9, user: a}\n" * 2,
            "the vantage point out stands twice",
        ),
    ],
)
def test_the_network(network: str, said: str) -> None:
    error = _error(network=network)
    assert said in error
    assert "write" in error


def test_ipv6_addresses_stand_once_in_a_site() -> None:
    first, second = (f"{role}-nfs, role: nfs, " for role in ("staging", "production"))
    given = 'address6: "FD00::1", '
    text = TEXT.replace(first, first + given).replace(second, second + given.lower())
    with pytest.raises(SiteError) as caught:
        parse_site(text, "site.yaml")
    assert "its address fd00::1 is also that of staging" in str(caught.value)
    twice = TEXT.replace(first, first + given)
    twice = twice.replace("staging-db, role: database, ", f"staging-db, role: database, {given}")
    with pytest.raises(SiteError) as caught:
        parse_site(twice, "site.yaml")
    assert "the address fd00::1 stands twice" in str(caught.value)


def test_names_inside_follow_from_the_environment() -> None:
    staging = _staging()
    assert staging.internal_name(staging.hosts[0]) == "staging-analytics.staging.internal"
    assert staging.cluster_api == "api.staging.internal"
