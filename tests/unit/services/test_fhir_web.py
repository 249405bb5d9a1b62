"""FHIR Web's rendering: the its pages' and its server's settings, here and in a cluster."""

import json
import re

import pytest
from tests.unit.services.fhir_web_harness import (
    FHIR,
    KEYCLOAK,
    WEB,
    build,
    config,
    context_of,
    environment_with,
    file_of,
    image,
    page_settings,
    workload_of,
)

from fhirstack.errors import UsageError
from fhirstack.model.site import FhirWeb
from fhirstack.services import fhir_web
from fhirstack.services import render as rendering
from fhirstack.services.fhir_web import pages, server


@pytest.fixture
def workload(tmp_path):
    """Return the workload of a build, with its context's directory."""
    return workload_of(tmp_path)


def test_the_pages_log_in_through_the_server_and_ask_the_gateway_on_their_own_origin():
    values = page_settings()
    assert values["REACT_APP_BACKEND_ACTIVE"] == "true"
    assert values["REACT_APP_DISABLE_LOGIN_PROTECTION"] == "false"
    assert values["REACT_APP_FHIR_API_BASE_URL"] == f"{WEB}/gateway/fhir"
    assert values["REACT_APP_KEYCLOAK_API_BASE_URL"] == f"{KEYCLOAK}/auth/admin/realms/opensrp"
    for menu in ("USERS", "USER_GROUPS", "USER_ROLES", "USER_SYNC"):
        assert values[f"REACT_APP_ENABLE_{menu}"] == "true"


def test_both_ends_of_a_log_in_have_one_state(workload):
    state = page_settings()["REACT_APP_OPENSRP_OAUTH_STATE"]
    assert state
    assert f"EXPRESS_OPENSRP_OAUTH_STATE={state}\n" in file_of(workload, "environment")
    cluster = fhir_web.cluster_workload(environment_with(FhirWeb(image="opensrp/web:v3.3.3")))
    assert cluster is not None
    assert cluster.environment["EXPRESS_OPENSRP_OAUTH_STATE"] == state
    assert config(cluster.files[0].content)["REACT_APP_OPENSRP_OAUTH_STATE"] == state


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ({}, {"FHIR_ROOT_LOCATION_ID": "root", "ENABLE_FHIR_COMMODITY": "false"}),
        ({"root_location": "eff94f33-c356"}, {"FHIR_ROOT_LOCATION_ID": "eff94f33-c356"}),
        (
            {"commodity_list": "vaccines"},
            {"ENABLE_FHIR_COMMODITY": "true", "COMMODITIES_LIST_RESOURCE_ID": "vaccines"},
        ),
        ({"project": "eusm"}, {"PROJECT_CODE": "eusm"}),
        (
            {"languages": ("fr", "en")},
            {
                "LANGUAGE_CODE": "fr",
                "SUPPORTED_LANGUAGES": "fr,en",
                "ENABLE_LANGUAGE_SWITCHER": "true",
            },
        ),
        ({"languages": ("sw",)}, {"LANGUAGE_CODE": "sw", "ENABLE_LANGUAGE_SWITCHER": "false"}),
    ],
)
def test_what_the_site_says_of_the_pages_is_in_their_settings(setting, shown):
    values = page_settings(**setting)
    assert {name: values[f"REACT_APP_{name}"] for name in shown} == shown
    cluster = fhir_web.cluster_workload(environment_with(FhirWeb(image="web:v1", **setting)))
    assert cluster is not None
    assert values | {"REACT_APP_OPENSRP_WEB_VERSION": "v1"} == config(cluster.files[0].content)


@pytest.mark.parametrize("name", ["config.js", "environment"])
def test_nothing_leads_to_another_site(workload, name):
    text = {
        "config.js": pages.render_config(environment_with(FhirWeb())),
        "environment": file_of(workload, "environment"),
    }[name]
    found = set(re.findall(r"https?://[^\s\"'/\\]+", text))
    assert found <= {WEB, KEYCLOAK, FHIR}


def test_every_page_setting_is_a_string_and_the_image_finds_no_template_in_it():
    text = pages.render_config(environment_with(FhirWeb()))
    assert all(isinstance(value, str) for value in config(text).values())
    assert "{{" not in text


def test_logos_are_in_the_page():
    values = pages.settings(environment_with(FhirWeb()))
    logos = [values[name] for name in values if name.endswith("_SRC")]
    assert len(logos) == 3
    assert all(logo.startswith("data:image/svg+xml;base64,") for logo in logos)


def test_no_secret_is_where_others_may_look(workload):
    assert "SECRET-" not in file_of(workload, "start")
    assert "SECRET-" not in " ".join(workload.command) + repr(workload.environment)
    assert file_of(workload, "environment").count("SECRET-") == 3


def test_the_policy_names_exactly_whom_the_pages_ask():
    policy = pages.content_security_policy(environment_with(FhirWeb()))
    assert policy["connect-src"] == ["'self'", KEYCLOAK, FHIR]
    assert policy["script-src"] == ["'self'"]
    assert "*" not in repr(policy)


def test_the_callback_is_the_one_that_the_realm_knows(workload):
    assert f"EXPRESS_OPENSRP_CALLBACK_URL={WEB}/oauth/callback/OpenSRP/\n" in file_of(
        workload, "environment"
    )


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (FhirWeb(), "--fhir-web"),
        (FhirWeb(image="opensrp/web:v3.3.3"), "opensrp/web:v3.3.3 needs a cluster"),
    ],
)
def test_where_nothing_can_run_there_is_a_reason_and_no_workload(tmp_path, setting, said):
    assert said in str(fhir_web.reason(environment_with(setting)))
    assert fhir_web.workload(context_of(tmp_path, setting)) is None


@pytest.mark.parametrize(("make", "kind"), [(build, "build"), (image, "directory")])
def test_a_directory_is_told_apart_by_what_it_holds(tmp_path, make, kind):
    setting = fhir_web.found_in(str(make(tmp_path / "x")))
    assert getattr(setting, kind) == str(tmp_path / "x")
    assert fhir_web.reason(environment_with(setting)) is None
    found = fhir_web.layout(setting)
    assert found.server.name == "index.js"
    assert (found.pages / "index.html").is_file()


@pytest.mark.parametrize("missing", ["express-server/dist/index.js", "web/index.html"])
def test_a_directory_that_holds_no_fhir_web_is_refused(tmp_path, missing):
    root = build(tmp_path / "x")
    (root / missing).unlink()
    with pytest.raises(UsageError, match="holds no FHIR Web"):
        fhir_web.found_in(str(root))
    with pytest.raises(UsageError, match="holds no FHIR Web"):
        fhir_web.layout(FhirWeb(build=str(root)))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda root: root / "none", "does not exist"),
        (lambda root: root.joinpath("file"), "is no directory"),
        (lambda root: root, "holds no FHIR Web"),
    ],
)
def test_what_is_wrong_with_a_place_is_said_with_the_remedy(tmp_path, make, said):
    (tmp_path / "file").touch()
    place = make(tmp_path)
    for find in (fhir_web.found_in, lambda path: fhir_web.layout(FhirWeb(build=path))):
        with pytest.raises(UsageError, match=said) as caught:
            find(str(place))
        assert caught.value.where == str(place)
        assert "express-server/" in caught.value.remedy


def test_a_place_is_named_from_the_root_on(tmp_path, monkeypatch):
    build(tmp_path / "x")
    (tmp_path / "y").mkdir()
    monkeypatch.chdir(tmp_path / "y")
    monkeypatch.setenv("HOME", str(tmp_path))
    for named in ("../x", "../y/./../x/", "~/x"):
        assert fhir_web.found_in(named).build == str(tmp_path / "x")


def test_a_cluster_gets_the_image_with_secrets_by_reference():
    environment = environment_with(FhirWeb(image="registry.example:5000/opensrp/web:v3.3.3"))
    found = fhir_web.cluster_workload(environment)
    assert found is not None
    local = server.public_settings(environment, server.Places("/usr/src/web", "/tmp/x"), 3000)  # noqa: S108
    assert found.environment.keys() == local.keys()
    assert not found.environment.keys() & found.secrets.keys()
    assert set(found.secrets) == {
        "EXPRESS_OPENSRP_CLIENT_SECRET", "EXPRESS_SESSION_SECRET",
        "EXPRESS_REDIS_STAND_ALONE_URL",
    }  # fmt: skip
    (template,) = found.files
    assert template.path == "/etc/confd/templates/config.js.tmpl"
    assert config(template.content)["REACT_APP_OPENSRP_WEB_VERSION"] == "v3.3.3"
    assert fhir_web.cluster_workload(environment_with(FhirWeb())) is None


def test_a_cluster_gets_the_searches_that_its_pages_need():
    found = rendering.files(environment_with(FhirWeb(image="opensrp/web:v3.3.3")))
    bundle = json.loads(found["fhir-web/searches.json"])
    requests = {entry["request"]["url"]: entry["resource"] for entry in bundle["entry"]}
    assert set(requests) == {
        "SearchParameter/fhirstack-careteam-name",
        "SearchParameter/fhirstack-group-name",
    }
    assert list(requests.values()) == list(fhir_web.search_parameters())
    assert "fhir-web/searches.json" not in rendering.files(environment_with(FhirWeb()))


@pytest.mark.parametrize(
    ("reference", "version"),
    [("opensrp/web", ""), ("host:5000/opensrp/web", ""), ("opensrp/web:v1", "v1")],
)
def test_a_references_tag_is_its_version(reference, version):
    found = fhir_web.cluster_workload(environment_with(FhirWeb(image=reference)))
    assert found is not None
    values = config(found.files[0].content)
    assert values["REACT_APP_OPENSRP_WEB_VERSION"] == version
