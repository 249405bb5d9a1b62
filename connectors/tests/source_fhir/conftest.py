"""A FHIR server of its own for each test, and the connector configured for it."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

# The CDK warns of its own classes when it is imported; all other warnings are errors.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import airbyte_cdk.test.standard_tests  # noqa: F401

from source_fhir_harness import Connector
from source_fhir_server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture
def connector(server: Server, tmp_path: Path) -> Connector:
    return Connector(tmp_path, {"base_url": server.base, "page_size": 10})
