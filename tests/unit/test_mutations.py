"""The changed requests of the end-to-end test of bad input."""

import copy
import gzip
import json

from tests.mutations import BYTES, TREE, mutated

FOREIGN = {"tag": {"system": "s", "code": "foreign"}, "search": "Patient?family=x"}
GOOD = {
    "resourceType": "Observation",
    "meta": {"tag": [{"system": "s", "code": "own"}]},
    "status": "final",
    "subject": {"reference": "Patient/a"},
}


def test_a_seed_gives_one_request():
    for seed in range(50):
        assert mutated(GOOD, FOREIGN, seed) == mutated(GOOD, FOREIGN, seed)
    assert len({mutated(GOOD, FOREIGN, seed).body for seed in range(50)}) > 40


def test_what_is_given_stays_as_it_is():
    good, foreign = copy.deepcopy(GOOD), copy.deepcopy(FOREIGN)
    for seed in range(500):
        mutated(good, foreign, seed)
    assert (good, foreign) == (GOOD, FOREIGN)


def test_each_change_is_made():
    changes = " ".join(mutated(GOOD, FOREIGN, seed).change for seed in range(2000))
    for change in TREE:
        assert change.__name__.strip("_") in changes
    for text in ("1e400", "twice", "bytes at", "cut", "deep", "byte order mark", "gzip", "br"):
        assert text in changes
    assert len(BYTES) == 9


def test_some_are_good_json_and_most_are_changed():
    bodies = [mutated(GOOD, FOREIGN, seed) for seed in range(300)]
    readable = [sent for sent in bodies if _reads(sent.body)]
    assert 150 < len(readable) < 300
    assert sum(json.loads(sent.body) == GOOD for sent in readable) < 30


def test_a_packed_body_is_the_body():
    packed = [
        s for s in (mutated(GOOD, FOREIGN, n) for n in range(500)) if s.change.endswith(" gzip")
    ]
    assert any(_reads(_unpacked(sent.body)) for sent in packed)


def _reads(body):
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _unpacked(body):
    try:
        return gzip.decompress(body)
    except EOFError:
        return b""
