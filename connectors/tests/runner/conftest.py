"""For each test: a FHIR server, a warehouse in the test's PostgreSQL, and a runner between them."""

import os
import secrets
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo, sql

# The FHIR server of the source's own tests.
sys.path.append(str(Path(__file__).parents[1] / "source_fhir"))

# The CDK warns of its own classes when it is imported; all other warnings are errors.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import airbyte_cdk.models  # noqa: F401

from source_fhir_server import Server, serving
from test_runner_harness import Pair


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture(scope="session")
def address() -> str:
    url = os.environ.get("FHIRSTACK_TEST_DATABASE")
    if not url:
        pytest.skip("FHIRSTACK_TEST_DATABASE does not name a PostgreSQL database")
    return url


@pytest.fixture
def database(address: str) -> Iterator[str]:
    """Return the address of a new database with the schemas of a warehouse."""
    name = f"runner_{secrets.token_hex(6)}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    made = conninfo.make_conninfo(address, dbname=name)
    with psycopg.connect(made, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA airbyte")
        connection.execute("CREATE SCHEMA sync")
    yield made
    with psycopg.connect(address, autocommit=True) as connection:
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        connection.execute(drop.format(sql.Identifier(name)))


@pytest.fixture
def pair(server: Server, database: str, tmp_path: Path) -> Pair:
    return Pair(server, database, tmp_path)
