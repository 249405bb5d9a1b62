"""``check`` says exactly what is wrong, and what to do about it."""

import secrets
import socket
import threading

import psycopg
import pytest
from airbyte_cdk.models import Status
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from destination_warehouse import DestinationWarehouse
from psycopg import sql


def check(site, **options):
    config = {**site.config, **options}
    result = DestinationWarehouse().check(None, {k: v for k, v in config.items() if v is not None})
    assert (result.status is Status.SUCCEEDED) == (result.message is None)
    return result.message


@pytest.fixture
def role(site):
    """A role without any right of its own, and its password."""
    name, password = f"role_{secrets.token_hex(6)}", secrets.token_urlsafe(12)
    with site.connect() as connection:
        make = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
        connection.execute(make.format(sql.Identifier(name), sql.Literal(password)))
        yield {"username": name, "password": password}
        for statement in ("DROP OWNED BY {} CASCADE", "DROP ROLE {}"):
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def test_all_is_well_and_nothing_stays(site):
    assert check(site) is None
    assert site.query("SELECT 1 FROM pg_namespace WHERE nspname = %s AND '{}' <> ''",
                      site.schema) == []  # fmt: skip


def test_wrong_password(site):
    assert "Put the right `username` and `password`" in check(site, password="wrong-password")


def test_a_password_file_wins_and_is_read_anew(site, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("wrong-password\n")
    options = {"password_file": str(secret), "password": site.config["password"]}
    assert "password authentication failed" in check(site, **options)
    secret.write_text(site.config["password"] + "\n")
    assert check(site, password_file=str(secret), password=None) is None
    assert "cannot read password_file" in check(site, password_file=str(tmp_path / "none"))


def test_no_such_database(site):
    assert "Create the database" in check(site, database="nowhere")


def test_nobody_listens(site):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    message = check(site, port=port)
    assert f"Check that PostgreSQL is up at 127.0.0.1:{port}" in message


def test_tls_that_the_server_has_not(site):
    assert "set `sslmode` to `disable`" in check(site, sslmode="require")


def test_a_missing_schema_that_may_not_be_made(site, role):
    message = check(site, **role)
    assert f'CREATE SCHEMA "{site.schema}" AUTHORIZATION "{role["username"]}"' in message


def test_a_schema_without_rights(site, role):
    site.execute("CREATE SCHEMA {}")
    message = check(site, **role)
    assert f'GRANT USAGE, CREATE ON SCHEMA "{site.schema}" TO "{role["username"]}"' in message


def test_tables_of_somebody_else(site, role, make):
    site.write([])
    site.execute(f"GRANT ALL ON SCHEMA {{}} TO {role['username']}")
    site.options = role
    with pytest.raises(AirbyteTracedException, match="it must own the schema and its tables"):
        site.write([make.record("a")])


def test_a_role_that_owns_the_schema_is_enough(site, role, make):
    site.execute(f"CREATE SCHEMA {{}} AUTHORIZATION {role['username']}")
    assert check(site, **role) is None
    admin, site.options = site.options, role
    site.write([make.record("a")])
    site.options = admin
    assert site.ids() == {"a"}


def test_a_second_writer_is_told_who_is_the_first(site, make):
    """The first is held up in the middle of its input."""
    site.options = {"lock_seconds": 0}
    first = site.writing([make.record("a"), make.state(1)])
    assert next(first)["type"] == "TRACE"
    with pytest.raises(AirbyteTracedException, match=r"another .* writes .* \(pid \d+, from"):
        site.write([make.record("b")])
    assert [message["type"] for message in first] == ["STATE"]
    site.write([make.record("b")])
    assert site.ids() == {"a", "b"}


def test_a_second_writer_waits_for_a_killed_one(site, make):
    """The lock goes with the session: a writer that was killed does not keep the next one out."""
    first = site.writing([make.record("a"), make.state(1)])
    next(first)
    done = threading.Timer(1, first.close)
    done.start()
    site.write([make.record("b")])
    done.join()
    assert site.ids() == {"a", "b"}


def test_a_full_disk_is_said_and_nothing_acknowledged(site, make, read):
    """A trigger stands in for the disk; the server's code is what counts."""
    site.write([])
    site.execute(
        "CREATE FUNCTION {0}.full() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RAISE 'could not extend file' USING ERRCODE = '53100'; END$$"
    )
    site.execute("CREATE TRIGGER t BEFORE INSERT ON {0}.patient EXECUTE FUNCTION {0}.full()")
    seen = []
    with pytest.raises(AirbyteTracedException, match="Free or add disk space"):
        seen.extend(site.writing([make.record("a"), make.state(1)]))
    assert read.states(seen) == []
    assert site.ids() == set()


def test_a_deadlock_is_tried_again(site, make, read):
    """The first insert is the victim; the batch takes effect once."""
    site.write([])
    site.execute("CREATE SEQUENCE {}.tries")
    site.execute(
        "CREATE FUNCTION {0}.once() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN IF nextval('{0}.tries') = 1 THEN"
        " RAISE 'deadlock detected' USING ERRCODE = '40P01'; END IF; RETURN new; END$$"
    )
    site.execute(
        "CREATE TRIGGER t BEFORE INSERT ON {0}.patient FOR EACH ROW EXECUTE FUNCTION {0}.once()"
    )
    messages = site.write([make.record("a"), make.record("b"), make.state(1)])
    assert (site.ids(), read.states(messages)) == ({"a", "b"}, [1])
    assert read.loaded(messages)["written"] == 2


def test_nobody_else_is_locked_out_by_a_check(site):
    site.write([])
    with psycopg.connect(site.url) as connection:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(site.schema, "patient"))
        connection.execute(query)
        assert check(site) is None
