"""What the platform renders is what the runner and both connectors read."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

import jsonschema
import pytest
import yaml
from fhirstack_sync.config import load
from source_fhir.names import stream_of

from fhirstack.model.local import local_environment
from fhirstack.model.records import TYPES
from fhirstack.secret import Secret
from fhirstack.services import catalogue, pipelines
from fhirstack.services.workload import Context, Endpoint

CONNECTORS = Path(__file__).resolve().parents[2]
SPECS = {
    "source": CONNECTORS / "source-fhir/source_fhir/spec.yaml",
    "destination": CONNECTORS / "destination-warehouse/destination_warehouse/spec.json",
}


class Endpoints(dict[tuple[str, str], Endpoint]):
    def __missing__(self, key: tuple[str, str]) -> Endpoint:
        return Endpoint("127.0.0.1", 18400)


class Artifacts(dict[str, PurePosixPath]):
    def __missing__(self, key: str) -> PurePosixPath:
        return PurePosixPath("/made") / key


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    places = {
        f"{name}_root": PurePosixPath("/stack") / name
        for name in ("config", "data", "run", "tls", "log")
    }
    context = Context(
        environment=local_environment("one", https_port=18443, http_port=18480),
        endpoints=Endpoints(),
        artifacts=Artifacts(),
        secrets={name: Secret(f"value-of-{name}") for name in catalogue.SECRETS},
        **places,
    )
    return {file.path: file.content for file in pipelines.workload(context).files}


@pytest.mark.parametrize("name", SPECS)
def test_a_connectors_configuration_fits_its_specification(
    files: dict[str, str], name: str
) -> None:
    spec: dict[str, Any] = yaml.safe_load(SPECS[name].read_text())["connectionSpecification"]
    found = json.loads(files[f"{name}.json"])
    jsonschema.validate(found, spec)
    assert found.keys() <= spec["properties"].keys()


def test_the_runners_configuration_is_read(files: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "sync.json"
    path.write_text(files["sync.json"])
    config = load(path)
    assert config.streams == tuple(stream_of(kind) for kind in TYPES)
    assert config.transformation
    assert config.warehouse.password_file == Path("/stack/config/sync/password")


@pytest.mark.parametrize("kind", TYPES)
def test_every_types_table_is_its_stream(kind: str) -> None:
    assert pipelines.table_of(kind) == stream_of(kind)
