"""Programs with root's rights: found wherever they are, or it is said where nobody looked."""

import os

import pytest

from fhirstack.planes.hosts.agent import base, every, ways

assert every


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "ROOT", str(tmp_path))
    monkeypatch.setattr(ways, "_MOST_FILES", 50)
    return tmp_path


def put(root, path):
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    place.chmod(0o4755)


@pytest.mark.skipif(os.geteuid() != 0, reason="setuid root is root's to give")
@pytest.mark.parametrize("filled", ["home/eve", "tmp", "var/www"])
def test_a_place_that_is_filled_hides_nothing_in_another_and_is_told(root, filled):
    for path in ("usr/bin/shell", "tmp/x/shell", "srv/a/shell"):
        put(root, path)
    (root / filled).mkdir(parents=True, exist_ok=True)
    for number in range(60):
        (root / filled / f"{number}").touch()
    found, unseen = ways.privileged()
    top = next(place for place in ways.PROGRAMS if f"/{filled}/".startswith(f"{place}/"))
    assert unseen == [top]
    others = {"/usr/bin/shell", "/tmp/x/shell", "/srv/a/shell"}  # noqa: S108
    assert found.keys() >= {path for path in others if not path.startswith(f"{top}/")}
    told = [change for change in ways.Ways({"address": "ways"}).plan() if change.action == "report"]
    assert [change.address for change in told] == [f"directory:{top}"]
