"""What follows from a site's values."""

import pytest
from pydantic import ValidationError

from fhirstack.model.load import parse_site
from fhirstack.model.local import local_environment
from fhirstack.model.site import Analytics, Application, Clients, Environment, Role
from fhirstack.model.template import site_template
from fhirstack.model.types import format_size, parse_size


def _production() -> Environment:
    return parse_site(site_template(), "s").environments["production"]


def test_addresses_follow_from_the_domain() -> None:
    environment = _production()
    assert environment.dns_name("web") == "web.opensrp.example.org"
    assert environment.fhir_base == "https://fhir.opensrp.example.org/fhir"
    assert environment.issuer == "https://keycloak.opensrp.example.org/auth/realms/opensrp"
    assert environment.secrets_directory == "secrets/production"
    assert environment.is_production
    assert list(environment.dns_names) == ["fhir", "keycloak", "web", "superset"]


def test_airbyte_has_a_name_where_its_platform_runs() -> None:
    environment = _production()
    platform = Analytics(airbyte="platform")
    assert "airbyte" not in environment.dns_names
    assert "airbyte" in environment.model_copy(update={"analytics": platform}).dns_names


def test_a_name_of_its_own_goes_before_the_domain() -> None:
    environment = _production().model_copy(update={"names": {"web": "admin.example.net"}})
    assert environment.dns_names["web"] == "admin.example.net"


def test_local_addresses_carry_their_port() -> None:
    environment = local_environment("demo", https_port=8443, http_port=8080)
    assert environment.url("fhir") == "https://fhir.demo.localhost:8443"
    assert not environment.is_production


def test_the_local_application_can_be_another() -> None:
    application = Application(id="other", public_binaries=("demo-binary",))
    environment = local_environment(
        "demo", https_port=8443, http_port=8080, application=application
    )
    assert environment.application == application


def test_hosts_of_a_role_keep_the_order_of_the_site() -> None:
    names = [host.name for host in _production().hosts_of(Role.PRIMARY)]
    assert names == ["production-primary-1", "production-primary-2", "production-primary-3"]


def test_clients_are_those_of_the_page_by_default() -> None:
    flags = ("public", "standard_flow", "implicit_flow", "direct_access_grants", "service_account")
    clients = Clients()
    on = {
        name: [flag for flag in flags if getattr(getattr(clients, name), flag)]
        for name in Clients.model_fields
    }
    assert on == {
        "android": ["public", "direct_access_grants"],
        "web": ["standard_flow"],
        "pipelines": ["service_account"],
        "superset": ["standard_flow"],
    }


def test_a_site_does_not_change() -> None:
    with pytest.raises(ValidationError):
        _production().domain = "other.example.org"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "size"),
    [("8 GB", 8 * 10**9), ("8GB", 8 * 10**9), ("1.5 TB", 15 * 10**11), ("2 GiB", 2 * 2**30)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["8", "GB", "0 GB", "-1 GB", "8 gb", "", None, True, 0, 1.5])
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(ValueError, match="not a size: write a number and a unit"):
        parse_size(text)


@pytest.mark.parametrize("size", [8 * 10**9, 10**12, 5 * 10**8, 32 * 10**9])
def test_sizes_are_written_as_they_are_read(size: int) -> None:
    assert parse_size(format_size(size)) == size
