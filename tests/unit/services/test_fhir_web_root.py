"""What FHIR Web serves: its build's pages with our configuration, laid out and compared."""

import os
import shutil
from pathlib import Path

import pytest
from tests.unit.services.fhir_web_harness import build

from fhirstack.services import fhir_web

CONFIG = "ours"


def served(target: Path) -> dict[str, str]:
    return {
        str(path.relative_to(target)): path.read_text()
        for path in target.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def laid_out(tmp_path):
    """Return a build's pages, and where they are served."""
    source = build(tmp_path / "build") / "web"
    target = tmp_path / "web"
    fhir_web.lay_out(fhir_web.web_root(source, CONFIG), target)
    return source, target


def test_the_pages_are_shown_with_our_configuration(laid_out):
    source, target = laid_out
    shown = served(target)
    assert shown["config.js"] == CONFIG
    assert shown["static/main.js"] == "app"
    assert "CONFIG_VERSION" not in shown["index.html"]
    assert (source / "config.js").read_text() == "window._env_ = {};"
    assert fhir_web.differing(fhir_web.web_root(source, CONFIG), target) == []


def test_laid_out_again_nothing_is_written(laid_out):
    source, target = laid_out
    state = {path: path.lstat().st_mtime_ns for path in (target, *target.rglob("*"))}
    fhir_web.lay_out(fhir_web.web_root(source, CONFIG), target)
    assert {path: path.lstat().st_mtime_ns for path in (target, *target.rglob("*"))} == state


def replace_release(source):
    (source / "static/main.js").unlink()
    (source / "static/main.5f2.js").write_text("new")
    (source / "index.html").write_text("<script src=/static/main.5f2.js>")


def keep_size_and_time(source):
    path = source / "static/main.js"
    status = path.stat()
    path.write_text("ppa")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES_OF_A_BUILD = {
    "another index": lambda source: (source / "index.html").write_text("<p>another"),
    "another release": replace_release,
    "the same size and time": keep_size_and_time,
    "a new file": lambda source: (source / "favicon.ico").write_text("x"),
    "a file is gone": lambda source: (source / "static/main.js").unlink(),
    "a directory is gone": lambda source: shutil.rmtree(source / "static"),
    "a directory for a file": lambda source: (
        (source / "static/main.js").unlink(),
        (source / "static/main.js").mkdir(),
        (source / "static/main.js/x").write_text("x"),
    ),
    "a file for a directory": lambda source: (
        shutil.rmtree(source / "static"),
        (source / "static").write_text("a file"),
    ),
}


@pytest.mark.parametrize("name", CHANGES_OF_A_BUILD)
def test_a_changed_build_is_noticed_by_its_content_and_served(laid_out, name):
    source, target = laid_out
    before = served(target)
    CHANGES_OF_A_BUILD[name](source)
    wanted = fhir_web.web_root(source, CONFIG)
    assert fhir_web.differing(wanted, target)
    # Until it is taken, all of the old one is served.
    assert served(target) == before
    fhir_web.lay_out(wanted, target)
    assert fhir_web.differing(wanted, target) == []
    kept = {"config.js", "index.html"}
    new = {name: text for name, text in served(source).items() if name not in kept}
    assert {name: text for name, text in served(target).items() if name not in kept} == new


def test_another_configuration_is_noticed_and_browsers_are_told_by_another_address(laid_out):
    source, target = laid_out
    first = (target / "index.html").read_text()
    wanted = fhir_web.web_root(source, "theirs")
    assert fhir_web.differing(wanted, target) == ["config.js", "index.html"]
    fhir_web.lay_out(wanted, target)
    assert (target / "config.js").read_text() == "theirs"
    assert (target / "index.html").read_text() != first


@pytest.mark.parametrize("name", ["index.html", "static/main.js", "config.js"])
def test_what_somebody_changed_among_the_served_is_put_right(laid_out, name):
    source, target = laid_out
    right = served(target)
    (target / name).write_text("changed")
    wanted = fhir_web.web_root(source, CONFIG)
    assert fhir_web.differing(wanted, target) == [name]
    fhir_web.lay_out(wanted, target)
    assert served(target) == right


def test_only_plain_files_of_the_build_are_served(tmp_path, laid_out):
    source, target = laid_out
    (tmp_path / "private").write_text("private")
    (source / "leak").symlink_to(tmp_path / "private")
    (source / "all").symlink_to(tmp_path)
    (source / "node_modules/x").mkdir(parents=True)
    (source / "node_modules/x/index.js").write_text("x")
    assert fhir_web.differing(fhir_web.web_root(source, CONFIG), target) == []


def test_links_of_an_earlier_version_are_replaced_and_never_written_through(laid_out):
    source, target = laid_out
    shutil.rmtree(target)
    target.mkdir()
    (target / "static").symlink_to(source / "static")
    (target / "config.js").symlink_to(source / "config.js")
    (source / "static/new.js").write_text("new")
    before = served(source)
    fhir_web.lay_out(fhir_web.web_root(source, CONFIG), target)
    assert served(source) == before
    assert not [path for path in target.rglob("*") if path.is_symlink()]
    assert served(target)["static/new.js"] == "new"
