"""What the pipelines' service renders: no secret where it shows, and what the connectors read."""

import json
from pathlib import Path, PurePosixPath

import pytest
import yaml

from fhirstack.model.local import local_environment
from fhirstack.model.records import TYPES
from fhirstack.planes.local.stack import Stack
from fhirstack.secret import Secret
from fhirstack.services import catalogue, pipelines, warehouse
from fhirstack.services.workload import Context

REPOSITORY = Path(__file__).resolve().parents[3]
STACK = Stack("one", Path("/stacks/one"), 18400)
ENVIRONMENT = local_environment("one", https_port=18443, http_port=18480)
PLACES = {name: PurePosixPath(f"/made/{name}") for name in ("connectors", "dbt", "pipelines")}
CONTEXT = Context(
    environment=ENVIRONMENT,
    endpoints=STACK.endpoints,
    artifacts=PLACES,
    config_root=PurePosixPath("/stacks/one/config"),
    data_root=PurePosixPath("/stacks/one/data"),
    run_root=PurePosixPath("/stacks/one/run"),
    tls_root=PurePosixPath("/stacks/one/tls"),
    log_root=PurePosixPath("/stacks/one/log"),
    secrets={name: Secret(f"SECRET-{name}") for name in catalogue.SECRETS},
    tls_digest="abc",
)
WORKLOAD = pipelines.workload(CONTEXT)
FILES = {file.path: file.content for file in WORKLOAD.files}
SPECS = {
    "source": REPOSITORY / "connectors/source-fhir/source_fhir/spec.yaml",
    "destination": REPOSITORY / "connectors/destination-warehouse/destination_warehouse/spec.json",
}


def spec(name):
    # JSON is YAML.
    return yaml.safe_load(SPECS[name].read_text())["connectionSpecification"]


@pytest.mark.parametrize("verb", ["run", "schedule"])
def test_no_secret_is_in_a_command_or_an_environment(verb):
    command, environment = pipelines.process(CONTEXT, verb, "--full")
    assert "SECRET-" not in " ".join(command) + repr(environment)
    assert "SECRET-" not in " ".join(WORKLOAD.command) + repr(WORKLOAD.environment)


def test_each_file_holds_the_secret_of_its_reader_only():
    held = {
        name: {secret for secret in CONTEXT.secrets if f"SECRET-{secret}" in text}
        for name, text in FILES.items()
    }
    assert held == {
        "sync.json": set(),
        "source.json": {"client-pipelines"},
        "destination.json": {"postgresql-warehouse-loader"},
        "profiles.yml": {"postgresql-warehouse-transformer"},
        "password": {"postgresql-warehouse-loader"},
    }


@pytest.mark.parametrize("name", SPECS)
def test_a_connectors_configuration_has_what_its_specification_knows(name):
    found, known = json.loads(FILES[f"{name}.json"]), spec(name)
    assert set(known["required"]) <= found.keys()
    assert found.keys() <= known["properties"].keys()
    for key, value in found.items():
        allowed = known["properties"][key].get("enum")
        assert allowed is None or value in allowed


def test_the_credentials_are_of_a_kind_that_the_source_knows():
    auth = json.loads(FILES["source.json"])["auth"]
    kinds = spec("source")["properties"]["auth"]["oneOf"]
    (kind,) = [k for k in kinds if k["properties"]["type"]["const"] == auth["type"]]
    assert auth.keys() <= kind["properties"].keys()
    assert set(kind["required"]) <= auth.keys()


def test_the_source_reads_through_the_gateway_as_the_pipelines_client():
    found = json.loads(FILES["source.json"])
    assert found["base_url"] == ENVIRONMENT.fhir_base
    assert found["auth"]["token_url"].startswith(ENVIRONMENT.issuer)
    assert found["auth"]["client_id"] == "data-pipelines"
    assert found["ca_file"] == "/stacks/one/tls/ca.pem"
    assert found["resource_types"] == list(TYPES)


def test_the_local_authority_is_trusted_where_it_signs_and_nowhere_else():
    assert "ca_file" not in pipelines.source(ENVIRONMENT, "s", None)


def test_each_step_has_a_role_of_its_own():
    profile = yaml.safe_load(FILES["profiles.yml"])["warehouse"]["outputs"]["warehouse"]
    assert profile["user"] == warehouse.TRANSFORMER
    assert json.loads(FILES["destination.json"])["username"] == warehouse.LOADER
    assert json.loads(FILES["sync.json"])["warehouse"]["username"] == warehouse.LOADER


def test_the_transformer_has_a_connection_for_each_thread():
    profile = yaml.safe_load(FILES["profiles.yml"])["warehouse"]["outputs"]["warehouse"]
    (login,) = [
        login for login in warehouse.database().logins if login.role == warehouse.TRANSFORMER
    ]
    assert profile["threads"] < login.pool


def test_the_runner_is_told_where_everything_is():
    found = json.loads(FILES["sync.json"])
    assert found["python"] == "/made/connectors/bin/python"
    assert found["transformation"]["python"] == "/made/dbt/bin/python"
    assert found["transformation"]["project"] == "/made/pipelines/dbt"
    assert found["transformation"]["log"] == "/stacks/one/log"
    assert found["log"] == "/stacks/one/log/sync-connectors.log"
    assert found["every_minutes"] == ENVIRONMENT.analytics.every_minutes
    assert found["metrics"] == {"host": "127.0.0.1", "port": 18490}
    assert found["warehouse"]["password_file"] == "/stacks/one/config/sync/password"


def test_another_certificate_restarts_the_schedule():
    assert WORKLOAD.environment["TLS_DIGEST"] == "abc"


@pytest.mark.parametrize(
    ("kind", "table"),
    [("Patient", "patient"), ("QuestionnaireResponse", "questionnaire_response")],
)
def test_a_types_table(kind, table):
    assert pipelines.table_of(kind) == table


def test_tables_are_as_the_dbt_project_calls_its_sources():
    sources = yaml.safe_load((REPOSITORY / "analytics/dbt/models/sources.yml").read_text())
    raw = next(s for s in sources["sources"] if s["name"] == warehouse.RAW)
    read = {table["name"] for table in raw["tables"]} - {"rejected_records"}
    assert read <= {pipelines.table_of(kind) for kind in TYPES}


def test_dbt_knows_the_zone_of_the_site_and_what_the_checks_make():
    analytics = ENVIRONMENT.analytics.model_copy(update={"time_zone": "Africa/Nairobi"})
    told = pipelines.variables(ENVIRONMENT.model_copy(update={"analytics": analytics}))
    assert told["time_zone"] == "Africa/Nairobi"
    project = yaml.safe_load((REPOSITORY / "analytics/dbt/dbt_project.yml").read_text())
    assert told["verify_tag"] == project["vars"]["verify_tag"] == pipelines.VERIFY_TAG
    assert told.keys() <= project["vars"].keys()
