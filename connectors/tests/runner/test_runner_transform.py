"""The transformation: made when something is new or when the project is another, and tested."""

import os
from pathlib import Path
from typing import Any

import pytest
from fhirstack_sync import transform
from psycopg import conninfo
from test_runner_harness import Pair

MODEL = "select id, resource ->> 'gender' as gender, now() as made from airbyte.patient\n"
TESTS = """\
models:
  - name: people
    columns:
      - name: id
        data_tests: [unique]
      - name: gender
        data_tests:
          - not_null: {config: {severity: SEVERITY}}
"""


@pytest.fixture
def transforming(pair: Pair) -> Pair:
    program = os.environ.get("FHIRSTACK_TEST_DBT")
    if not program:
        pytest.skip("FHIRSTACK_TEST_DBT does not name dbt")
    project = pair.directory / "project"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text(
        "name: small\nversion: 1.0.0\nprofile: small\nflags: {send_anonymous_usage_stats: false}\n"
        "models: {small: {+materialized: table}}\n"
    )
    (project / "models/people.sql").write_text(MODEL)
    (project / "models/people.yml").write_text(TESTS.replace("SEVERITY", "warn"))
    parts = conninfo.conninfo_to_dict(pair.database)
    (pair.directory / "profiles.yml").write_text(
        "small:\n  target: small\n  outputs:\n    small:\n      type: postgres\n"
        f"      host: {parts['host']}\n      port: {parts['port']}\n"
        f"      dbname: {parts['dbname']}\n      user: {parts['user']}\n"
        f"      password: {parts['password']}\n      schema: marts\n      threads: 1\n"
    )
    pair.transformation = {
        "python": str(Path(program).parent / "python"),
        "project": str(project),
        "profiles": str(pair.directory),
        "target": str(pair.directory / "dbt"),
        "log": str(pair.directory / "log"),
        "variables": {},
    }
    for number in range(3):
        pair.server.put(f"p{number}", number, gender="female")
    return pair


def made(pair: Pair) -> Any:
    ((when,),) = pair.query("SELECT max(made) FROM marts.people")
    return when


def test_it_is_made_when_something_is_new_or_the_project_is_another(transforming: Pair) -> None:
    transforming.ok()
    first = made(transforming)
    (told,) = transforming.told("transformed")
    assert (told["models"], told["passed"], list(told["failed"])) == (1, 2, [])

    transforming.ok()
    assert made(transforming) == first
    assert transforming.told("transformed") == []

    transforming.server.put("p9", transforming.server.state.now + 1, gender="male")
    transforming.server.state.now += 10
    transforming.ok()
    second = made(transforming)
    assert second > first
    assert ("p9", "male") in transforming.query("SELECT id, gender FROM marts.people")

    model = transforming.directory / "project/models/people.sql"
    model.write_text(MODEL.replace("now()", "clock_timestamp()"))
    transforming.ok()
    assert made(transforming) > second


def test_a_test_that_warns_is_told_and_one_that_fails_fails_the_run(transforming: Pair) -> None:
    transforming.server.put("p9", 5)
    transforming.ok()
    (told,) = transforming.told("transformed")
    (warned,) = told["warned"]
    assert warned.startswith("not_null_people_gender")
    tests = transforming.directory / "project/models/people.yml"
    tests.write_text(TESTS.replace("SEVERITY", "error"))
    outcome = transforming.run()
    assert outcome.status == "failed"
    assert "1 tests of the data failed: not_null_people_gender" in str(outcome.error)


def test_a_model_that_cannot_be_made_is_named_and_made_again_when_mended(
    transforming: Pair,
) -> None:
    model = transforming.directory / "project/models/people.sql"
    model.write_text("select no_such_column from airbyte.patient\n")
    outcome = transforming.run()
    assert outcome.status == "failed"
    assert "people: " in str(outcome.error)
    assert "no_such_column" in str(outcome.error)
    assert len(transforming.rows("Patient")) == 3
    # Nothing is new in the store: what was not made is made nevertheless.
    model.write_text(MODEL)
    transforming.ok()
    assert made(transforming)


def test_a_project_that_cannot_be_read_fails_with_what_dbt_says(transforming: Pair) -> None:
    (transforming.directory / "project/models/people.yml").write_text("models: [{name: people")
    outcome = transforming.run()
    assert outcome.status == "failed"
    assert "people.yml" in str(outcome.error)
    assert len(transforming.rows("Patient")) == 3


def test_what_came_is_transformed_also_when_a_type_failed(transforming: Pair) -> None:
    transforming.server.state.forbidden = {"Group"}
    outcome = transforming.run()
    assert outcome.status == "failed"
    assert made(transforming)


def test_no_dbt_is_a_failed_run(transforming: Pair) -> None:
    assert transforming.transformation
    transforming.transformation["python"] = "/no/such/python"
    outcome = transforming.run()
    assert outcome.status == "failed"
    assert "/no/such/python" in str(outcome.error)
    assert len(transforming.rows("Patient")) == 3


def test_the_revision_is_that_of_the_project_and_its_variables(tmp_path: Path) -> None:
    def revision(**variables: Any) -> str:
        return transform.revision(transform.Transformation(*[tmp_path] * 5, variables))

    (tmp_path / "model.sql").write_text("select 1")
    first = revision(a=1, b=2)
    assert revision(b=2, a=1) == first
    assert revision(a=1, b=3) != first
    (tmp_path / "model.sql").write_text("select 2")
    second = revision(a=1, b=2)
    assert second != first
    (tmp_path / "model.sql").rename(tmp_path / "other.sql")
    assert revision(a=1, b=2) != second
