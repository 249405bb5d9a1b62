"""What counts as a refusal: only the server's own word."""

import socket
from types import SimpleNamespace

import psycopg
import pytest

from fhirstack.checks import closed
from fhirstack.checks.check import FailedError
from fhirstack.secret import Secret
from fhirstack.services import keycloak, postgresql
from fhirstack.services.workload import Endpoint

REFUSALS = (
    'connection failed: FATAL:  password authentication failed for user "keycloak"',
    'connection failed: FATAL:  permission denied for database "fhir"',
    'connection failed: FATAL:  no pg_hba.conf entry for host "127.0.0.1"',
    "connection failed: fe_sendauth: no password supplied",
)
NO_ANSWERS = (
    "connection failed: Connection refused",
    "connection timeout expired",
    "connection failed: server closed the connection unexpectedly",
    "connection failed: FATAL:  the database system is starting up",
    "connection failed: FATAL:  the database system is shutting down",
    "connection failed: FATAL:  sorry, too many clients already",
)


def session(port):
    names = (keycloak.DATABASE.secret, postgresql.SUPERUSER_SECRET)
    return SimpleNamespace(
        inside={(postgresql.NAME, "sql"): Endpoint("127.0.0.1", port)},
        secrets={name: Secret("x") for name in names},
    )


def saying(monkeypatch, text):
    def connect(**_):
        raise psycopg.OperationalError(text)

    monkeypatch.setattr(closed.psycopg, "connect", connect)


@pytest.mark.parametrize("text", REFUSALS)
def test_the_server_s_refusal_is_one(monkeypatch, text):
    saying(monkeypatch, text)
    assert "no password: refused" in closed.database_roles(session(1))


@pytest.mark.parametrize("text", NO_ANSWERS)
def test_no_answer_is_no_refusal(monkeypatch, text):
    saying(monkeypatch, text)
    with pytest.raises(FailedError, match="no answer of PostgreSQL"):
        closed.database_roles(session(1))


def test_a_database_that_is_not_there_refuses_nobody():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(FailedError, match="no answer of PostgreSQL"):
            closed.database_roles(session(free.getsockname()[1]))
