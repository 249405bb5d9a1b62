"""Runs the real Synthea. It needs mvn, java 17 and, the first time, Maven Central."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fhirstack.demo.synthea import Options, libraries, population

pytestmark = pytest.mark.e2e

CHILDREN = Options(ages="0-5")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FHIRSTACK_CACHE", str(place))
        libraries()
        yield place


@pytest.fixture(scope="module")
def three(cache: Path) -> list[Path]:
    return population(3, 42, CHILDREN)


def test_the_same_seed_gives_the_same_files(cache: Path, three: list[Path]):
    first = [(file.name, file.read_bytes()) for file in three]
    three[0].parent.rename(cache / "first")

    second = population(3, 42, CHILDREN)

    assert [(file.name, file.read_bytes()) for file in second] == first


def test_a_larger_number_begins_with_the_smaller_ones_patients(three: list[Path]):
    four = population(4, 42, CHILDREN)

    assert [file.name for file in four[:3]] == [file.name for file in three]
    types = {
        entry["resource"]["resourceType"]
        for file in four
        for entry in json.loads(file.read_bytes())["entry"]
    }
    assert "Patient" in types
    assert not types & {"Claim", "ExplanationOfBenefit", "CareTeam", "Procedure"}
