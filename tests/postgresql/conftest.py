"""A PostgreSQL server of the tests' own: ``python -m tests.with_postgresql`` starts it."""

import os

import psycopg
import pytest

from fhirstack.planes import databases
from fhirstack.secret import Secret


def connect(database: str = "postgres") -> psycopg.Connection:
    """Connect as the administrator, as the plane itself does."""
    return databases.connect(
        "127.0.0.1",
        int(os.environ["TEST_POSTGRESQL_PORT"]),
        os.environ["TEST_POSTGRESQL_USER"],
        Secret(os.environ["TEST_POSTGRESQL_PASSWORD"]),
        database,
    )


def pytest_collection_modifyitems(items):
    reason = "needs a server: python -m tests.with_postgresql python -m pytest -m postgresql"
    for item in items if "TEST_POSTGRESQL_PORT" not in os.environ else []:
        # The mark: a case of that name has the word as well.
        if item.get_closest_marker("postgresql"):
            item.add_marker(pytest.mark.skip(reason=reason))
