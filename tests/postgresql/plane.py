"""The plane on the tests' server: what is desired there, planned, and done by hand."""

from fhirstack.planes import databases
from fhirstack.secret import Secret
from fhirstack.services import keycloak, warehouse

from tests.postgresql.conftest import connect  # isort: skip

DESIRED = (keycloak.DATABASE, warehouse.database())
NAMES = (keycloak.DATABASE.secret, *warehouse.SECRETS)
SECRETS = {name: Secret(f"{name}-of-the-test") for name in NAMES}


def data_directory(connection):
    return connection.execute("SHOW data_directory").fetchone()[0]


def planned(*, apply=False):
    with connect() as connection:
        expected = databases.Expected(data_directory(connection))
        changes = databases.plan(connection, DESIRED, SECRETS, connect, expected=expected)
        for change in changes if apply else []:
            if change.apply:
                change.apply()
        return changes


def execute(statement, role=None, database=warehouse.NAME):
    with connect(database) as connection:
        if role:
            connection.execute(f"SET ROLE {role}")
        return connection.execute(statement)
