"""The CDK's own test suite for sources, against a server of ours."""

import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from airbyte_cdk.models.connector_metadata import MetadataFile
from airbyte_cdk.test.models import ConnectorTestScenario
from airbyte_cdk.test.standard_tests import SourceTestSuiteBase
from airbyte_cdk.test.standard_tests.pytest_hooks import pytest_generate_tests
from source_fhir import SourceFhir
from source_fhir_server import Server

__all__ = ["pytest_generate_tests"]

ROOT = Path(__file__).parents[2] / "source-fhir"
_PLACE = "http://127.0.0.1:8080"


@cache
def _server() -> Server:
    return Server()


class TestSourceFhir(SourceTestSuiteBase):
    """The scenarios are those of the connector's acceptance-test-config.yml."""

    connector = SourceFhir

    @classmethod
    def get_connector_root_dir(cls) -> Path:
        return ROOT

    @classmethod
    def get_scenarios(cls) -> list[ConnectorTestScenario]:
        return [cls._at_server(x) for x in super().get_scenarios()]

    @classmethod
    def _at_server(cls, scenario: ConnectorTestScenario) -> ConnectorTestScenario:
        config = scenario.get_config_dict(connector_root=ROOT, empty_if_missing=False)
        config["base_url"] = config["base_url"].replace(_PLACE, _server().root)
        if "token_url" in config["auth"]:
            config["auth"]["token_url"] = config["auth"]["token_url"].replace(
                _PLACE, _server().root
            )
        return scenario.model_copy(update={"config_dict": config})

    # The suite's tests of images need a container engine.
    test_docker_image_build_and_spec = None
    test_docker_image_spec_backward_compatibility = None
    test_docker_image_build_and_check = None
    test_docker_image_build_and_config_matches_spec = None
    test_docker_image_build_and_discover = None
    test_docker_image_build_and_read = None


@pytest.fixture(scope="module", autouse=True)
def _served() -> Iterator[None]:
    server = _server()
    for name in ("Patient", "Observation", "QuestionnaireResponse"):
        server.fill(5, name)
    server.state.types = ["Patient", "Observation", "QuestionnaireResponse"]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def test_metadata_is_what_the_platform_asks_for() -> None:
    path = ROOT / "metadata.yaml"
    parsed = MetadataFile.from_file(path)
    data: dict[str, Any] = yaml.safe_load(path.read_text())["data"]
    assert parsed.data.dockerRepository == "fhirstack/source-fhir"
    assert data["releaseStage"] == "alpha"
    assert data["supportLevel"] == "community"
    base = data["connectorBuildOptions"]["baseImage"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"FROM {base}\n" in dockerfile
    assert f"io.airbyte.version={data['dockerImageTag']}\n" in dockerfile
