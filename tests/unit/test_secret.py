import copy
import json
import logging
import pickle

import pytest

from fhirstack.secret import Secret

PLAIN = "correct-horse-battery"


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        lambda s: f"{s}",
        lambda s: f"{s:>10}",
        lambda s: "%s %r" % (s, s),  # noqa: UP031
        lambda s: repr([s, {"a": s}]),
        lambda s: json.dumps({"a": s}, default=str),
    ],
)
def test_never_prints(show):
    assert PLAIN not in show(Secret(PLAIN))


@pytest.mark.parametrize("copying", [pickle.dumps, copy.copy, copy.deepcopy])
def test_is_not_serialised(copying):
    with pytest.raises(TypeError):
        copying(Secret(PLAIN))


def test_does_not_reach_logs(caplog):
    with caplog.at_level(logging.INFO):
        logging.getLogger("x").info("password %s", Secret(PLAIN))
    assert PLAIN not in caplog.text


def test_equality_is_between_secrets_only():
    assert Secret(PLAIN) == Secret(PLAIN)
    assert Secret(PLAIN) != PLAIN
    assert Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    assert Secret(PLAIN).reveal() == PLAIN
