import os

import pytest

from fhirstack.errors import UnreachableError
from fhirstack.planes.local.account import Account
from fhirstack.planes.local.secrets import ensure, read

OWN = Account("me", os.geteuid(), os.getegid())


def test_secrets_are_made_once_and_for_the_owner_only(tmp_path):
    first = ensure(tmp_path, ["a", "b"], OWN)
    assert first["a"] != first["b"]
    assert len(first["a"].reveal()) >= 40
    assert ensure(tmp_path, ["a", "b"], OWN) == first
    assert {p.stat().st_mode & 0o777 for p in tmp_path.iterdir()} == {0o600}


def test_another_directory_has_other_secrets(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    assert ensure(one, ["a"], OWN)["a"] != ensure(two, ["a"], OWN)["a"]


def test_a_secret_that_others_can_read_is_refused(tmp_path):
    ensure(tmp_path, ["a"], OWN)
    (tmp_path / "a").chmod(0o644)
    with pytest.raises(UnreachableError, match="others can read"):
        ensure(tmp_path, ["a"], OWN)


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 50])
def test_a_damaged_secret_is_never_replaced_silently(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(UnreachableError, match=str(path)):
        ensure(tmp_path, ["a"], OWN)
    assert path.read_bytes() == content


def test_reading_makes_nothing(tmp_path):
    with pytest.raises(UnreachableError, match="missing"):
        read(tmp_path, ["a"])
    assert list(tmp_path.iterdir()) == []
