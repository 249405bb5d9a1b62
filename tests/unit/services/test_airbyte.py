"""What is rendered for Airbyte's platform: its structure, and that no secret is in it."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from fhirstack.model.load import load_site
from fhirstack.model.site import Analytics
from fhirstack.services import airbyte, warehouse
from fhirstack.services.airbyte.connection import schedule

SITE = load_site(Path(__file__).parents[2] / "cases/site/base.yaml")


def environment(kind="platform", **more):
    return SITE.environments["staging"].model_copy(
        update={"analytics": Analytics(airbyte=kind, **more)}
    )


def rendered(store=None):
    text = airbyte.render_values(environment(), store)
    assert text is not None
    return text, yaml.safe_load(text)


def leaves(node, path=()):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, (*path, key))
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, path)
    else:
        yield path, node


def test_the_runner_and_a_site_without_airbyte_need_nothing():
    core = environment().model_copy(update={"services": ("fhir", "keycloak")})
    for one in (environment("runner"), core):
        assert airbyte.render_values(one) is None
        assert airbyte.render_connection(one) is None


def test_the_values_read_back_as_they_were_made():
    text, values = rendered()
    assert values == airbyte.values(environment())
    assert text.startswith("# Values of the Helm chart airbyte 2.")
    assert "not proved" in text.splitlines()[1]


def test_its_database_is_the_environments_own():
    _, values = rendered()
    database = values["global"]["database"]
    assert values["postgresql"]["enabled"] is False
    assert (database["type"], database["host"], database["name"]) == (
        "external", "10.10.0.51", "airbyte",
    )  # fmt: skip
    assert airbyte.PLAIN_KEYS[database["userSecretKey"]] == airbyte.DATABASE.role


def test_nobody_gets_in_without_a_login_and_nothing_is_reported_elsewhere():
    _, values = rendered()
    common = values["global"]
    assert common["airbyteUrl"] == "https://airbyte.staging.example.org"
    assert common["auth"]["enabled"] is True
    assert common["auth"]["security"]["cookieSecureSetting"] is True
    assert common["tracking"] == {"enabled": False, "strategy": "logging"}
    assert common["jobs"]["errors"]["reportingStrategy"] == "logging"
    assert values["ingress"]["enabled"] is False


@pytest.mark.parametrize("render", ["values", "connection"])
def test_a_secret_is_a_reference_to_one_that_is_generated(render):
    known = {*airbyte.SECRETS, *warehouse.SECRETS, "client-pipelines"}
    text = rendered()[0] if render == "values" else airbyte.render_connection(environment())
    assert text is not None
    found = []
    for path, value in leaves(yaml.safe_load(text)):
        if re.search(r"password|secret|accesskey|token$|credential", path[-1], re.IGNORECASE):
            found.append(path)
            is_key = (
                path[-1].endswith("SecretKey") and value in airbyte.SECRET_KEYS | airbyte.PLAIN_KEYS
            )
            is_name = path[-1] in ("secretName", "secret") and value in {*known, "airbyte-config"}
            assert is_key or is_name, path
    assert found
    assert set(airbyte.SECRET_KEYS.values()) == set(airbyte.SECRETS)
    assert "minio123" not in text


def test_every_pod_is_for_the_analytics_node():
    _, values = rendered()
    places = [values[name] for name in values if "resources" in values[name]]
    places += [values["global"]["jobs"]["kube"], values["minio"]]
    assert len(places) == 10
    for place in places:
        assert place["nodeSelector"] == {"fhirstack.org/role": "analytics"}
        (toleration,) = place["tolerations"]
        assert toleration["key"] == "fhirstack.org/role"
        assert all(isinstance(value, str) for value in toleration.values())


def mebibytes(text):
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", text).groups()
    return int(number) * (1024 if unit == "Gi" else 1)


def test_what_is_asked_for_leaves_half_of_the_smallest_analytics_node():
    _, values = rendered()
    asked = [
        values[name]["resources"]["requests"] for name in values if "resources" in values[name]
    ]
    assert sum(mebibytes(one["memory"]) for one in asked) <= 4 * 1024
    assert sum(int(one["cpu"].removesuffix("m")) for one in asked) <= 2000


def test_a_store_that_is_there_takes_the_place_of_the_charts_own():
    _, own = rendered()
    assert own["minio"]["enabled"] is True
    assert "endpoint" not in own["global"]["storage"]["minio"]
    store = airbyte.ObjectStore("https://objects.example.org", "airbyte-staging")
    _, values = rendered(store)
    assert values["minio"]["enabled"] is False
    storage = values["global"]["storage"]
    assert storage["minio"]["endpoint"] == "https://objects.example.org"
    assert set(storage["bucket"].values()) == {"airbyte-staging"}


def test_the_connection_carries_every_type_through_the_gateway():
    found = airbyte.connection(environment())
    assert found is not None
    assert found.source.image == "fhirstack/source-fhir"
    assert found.source.configuration["base_url"] == "https://fhir.staging.example.org/fhir"
    assert found.source.configuration["auth"]["client_secret"] == {"secret": "client-pipelines"}
    assert found.destination.configuration["password"] == {"secret": "postgresql-warehouse-loader"}
    assert found.destination.configuration["sslmode"] == "require"
    names = [stream["name"] for stream in found.streams]
    assert {"patient", "questionnaire_response", "group", "resource_ids"} <= set(names)
    assert len(names) == len(set(names))
    assert dataclasses.asdict(found)["source"]["configuration"]["deletions"] == "auto"


@pytest.mark.parametrize(
    ("minutes", "cron"),
    [(1, "0 0/1 * * * ? UTC"), (15, "0 0/15 * * * ? UTC"), (60, "0 0 0/1 * * ? UTC"),
     (150, "0 0 0/2 * * ? UTC"), (1439, "0 0 0/23 * * ? UTC"),
     (1440, "0 0 0 * * ? UTC")],
)  # fmt: skip
def test_the_schedule_is_the_sites(minutes, cron):
    assert schedule(minutes) == cron
