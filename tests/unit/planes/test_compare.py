import pytest

from fhirstack.planes.iam.compare import differences, merged, pick

CASES = [
    ({}, {"a": 1}, {}),
    ({"a": 1}, {"a": 1, "b": 2}, {}),
    ({"a": 1}, {}, {"a": 1}),
    ({"a": 1}, {"a": "1"}, {"a": 1}),
    ({"a": False}, {"a": True}, {"a": False}),
    ({"a": ["x", "y"]}, {"a": ["y", "x"]}, {}),
    ({"a": ["x"]}, {"a": ["x", "y"]}, {"a": ["x"]}),
    ({"a": []}, {}, {"a": []}),
    ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3, "d": 4}}, {"a": {"c": 2}}),
    ({"a": {"b": 1}}, {"a": None}, {"a": {"b": 1}}),
    ({"a": {}}, {}, {}),
]


@pytest.mark.parametrize(("declared", "observed", "expected"), CASES)
def test_differences(declared, observed, expected):
    assert differences(declared, observed) == expected


@pytest.mark.parametrize(("declared", "observed", "expected"), CASES)
def test_merging_leaves_no_difference_and_keeps_the_rest(declared, observed, expected):
    result = merged(observed, declared)
    assert differences(declared, result) == {}
    assert observed.keys() <= result.keys()


def test_pick_shows_what_was_before():
    assert pick({"a": {"b": 1, "x": 2}, "c": 3}, {"a": {"b": 9}, "d": 1}) == {
        "a": {"b": 1},
        "d": None,
    }
