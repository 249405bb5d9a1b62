"""What an undoing puts back, and what it leaves as it is."""

import subprocess
from pathlib import Path

from fhirstack.planes.hosts.agent import rollback


def test_what_was_not_changed_stays_the_file_that_it_is(tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    kept.mkdir()
    monkeypatch.setattr(rollback, "_KEPT", str(kept))
    monkeypatch.setattr(rollback, "_UNDOING", str(kept))
    paths = {name: tmp_path / name for name in ("same", "text", "mode", "link", "tree", "none")}
    for name in ("same", "text", "mode"):
        paths[name].write_text(name)
    paths["link"].symlink_to("nowhere")
    paths["tree"].mkdir()
    (paths["tree"] / "a").write_text("a")
    before = {name: path.lstat() for name, path in paths.items() if name != "none"}
    lines = [rollback._put_back(n, str(path)) for n, path in enumerate(paths.values())]

    paths["text"].write_text("mine")
    paths["mode"].chmod(0o666)
    paths["link"].unlink()
    paths["link"].write_text("no link")
    (paths["tree"] / "a").unlink()
    paths["tree"].rmdir()
    paths["none"].write_text("new")
    subprocess.run(["sh", "-uc", "\n".join(lines)], check=True)

    assert paths["same"].lstat().st_ctime_ns == before["same"].st_ctime_ns
    assert paths["same"].lstat().st_ino == before["same"].st_ino
    assert paths["text"].read_text() == "text"
    assert paths["mode"].lstat().st_mode == before["mode"].st_mode
    assert paths["link"].readlink() == Path("nowhere")
    assert (paths["tree"] / "a").read_text() == "a"
    assert not paths["none"].exists()
    assert not list(tmp_path.glob("*.fhirstack-undo"))
