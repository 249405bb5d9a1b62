import psycopg.pq
import pytest

from fhirstack.planes.databases.roles import verifies

VERIFIER = (
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
    "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
    ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)


def test_rfc_7677_example_is_verified():
    """RFC 7677, section 3: user "user", password "pencil"."""
    assert verifies(VERIFIER, "pencil")


@pytest.mark.parametrize("password", ["", "Pencil", "pencil "])
def test_another_password_is_not(password):
    assert not verifies(VERIFIER, password)


@pytest.mark.parametrize("verifier", ["", "md5abc", "a$b$c", "SCRAM-SHA-256$x:y$z", "$$"])
def test_another_form_is_not(verifier):
    assert not verifies(verifier, "pencil")


def test_libpq_is_new_enough_to_make_verifiers():
    assert psycopg.pq.version() >= 140000
