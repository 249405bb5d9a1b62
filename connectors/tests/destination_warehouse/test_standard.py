"""The CDK's standard tests for destinations."""

import os
import warnings
from pathlib import Path

import destination_warehouse
import pytest
from psycopg import conninfo

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from airbyte_cdk.models.connector_metadata import ConnectorLanguage, MetadataFile
    from airbyte_cdk.test.models import ConnectorTestScenario
    from airbyte_cdk.test.standard_tests._spec_lint import assert_spec_is_valid
    from airbyte_cdk.test.standard_tests.destination_base import DestinationTestSuiteBase
    from airbyte_cdk.test.standard_tests.pytest_hooks import (  # noqa: F401 - fixtures
        connector_base_image_override,
        connector_image_override,
        read_from_streams,
        read_scenarios,
    )

ROOT = Path(destination_warehouse.__file__).parents[1]


def scenarios() -> dict[str, ConnectorTestScenario]:
    """Return one configuration that works and one that cannot."""
    url = os.environ.get("FHIRSTACK_TEST_DATABASE", "postgresql://u:p@127.0.0.1:1/d")
    parts = conninfo.conninfo_to_dict(url)
    config = {
        "host": parts["host"],
        "port": int(parts["port"]),
        "database": parts["dbname"],
        "username": parts["user"],
        "password": parts["password"],
    }
    wrong = {**config, "password": "certainly-not-the-password"}
    made = {
        "good": ConnectorTestScenario(config_dict=config, status="succeed"),
        "wrong password": ConnectorTestScenario(config_dict=wrong, status="failed"),
    }
    for name, scenario in made.items():
        scenario._id = name
    return made


@pytest.mark.usefixtures("database_url")
class TestDestinationWarehouse(DestinationTestSuiteBase):
    """All that the CDK checks of a destination; images are checked where they are built."""

    @classmethod
    def get_connector_root_dir(cls) -> Path:
        return ROOT

    @classmethod
    def get_scenarios(cls) -> list[ConnectorTestScenario]:
        return list(scenarios().values())

    @pytest.fixture(autouse=True)
    def without_images(self, request: pytest.FixtureRequest) -> None:
        if request.node.get_closest_marker("image_tests") and not os.environ.get(
            "FHIRSTACK_TEST_IMAGES"
        ):
            pytest.skip("FHIRSTACK_TEST_IMAGES is not set: connector images are not built here")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "scenario" in metafunc.fixturenames:
        made = scenarios()
        metafunc.parametrize("scenario", made.values(), ids=made)


def test_the_specification_passes_the_lint():
    spec = destination_warehouse.DestinationWarehouse().spec(None)
    assert_spec_is_valid(spec, connector_name="destination-warehouse")


def test_the_metadata_is_what_the_platform_reads():
    metadata = MetadataFile.from_file(ROOT / "metadata.yaml").data
    assert metadata.language is ConnectorLanguage.PYTHON
    assert metadata.dockerRepository.endswith("/destination-warehouse")
