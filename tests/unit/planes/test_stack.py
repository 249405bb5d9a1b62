import json
import socket
from dataclasses import replace

import pytest

from fhirstack.errors import UnreachableError, UsageError
from fhirstack.planes.local import stack, up
from fhirstack.planes.local.account import Account, make_directory

import os  # isort: skip

OWN = Account("me", os.geteuid(), os.getegid())


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FHIRSTACK_HOME", str(tmp_path))
    return tmp_path


def create(name, port_base=None, **options):
    made = replace(stack.new(name, port_base), **options)
    make_directory(made.root, OWN)
    stack.record(made, OWN)
    return made


@pytest.mark.parametrize("name", ["", "A", "1a", "a_b", "a.b", "-a", "a-", "../x", "a" * 31])
def test_a_name_that_is_no_dns_label_is_refused(name):
    with pytest.raises(UsageError):
        stack.check_name(name)


@pytest.mark.parametrize("base", [0, 80, 1023, 65436, 70000])
def test_a_port_base_out_of_range_is_refused(base):
    with pytest.raises(UsageError):
        stack.check_port_base(base)


def test_no_two_services_have_the_same_port():
    assert len(set(stack.OFFSETS.values())) == len(stack.OFFSETS)
    assert max(stack.OFFSETS.values()) < stack.PORT_BLOCK


def test_a_new_stack_is_found_again(home):
    made = create("one", 20000)
    assert stack.find("one") == made
    assert made.root.stat().st_mode & 0o777 == 0o700
    assert (made.root / "stack.json").stat().st_mode & 0o777 == 0o600


def test_two_stacks_get_two_blocks(home):
    assert create("one").port_base != create("two").port_base


def test_a_block_with_a_taken_port_is_passed_over(home):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe = create("probe").port_base
        taken.bind(("127.0.0.1", probe + 100 + 43))
        taken.listen()
        assert create("next").port_base > probe + 100


def test_there_is_no_stack(home):
    assert stack.find("none") is None


@pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"format": 99, "port_base": 1}'])
def test_a_broken_record_is_named(home, record):
    made = create("one", 20000)
    (made.root / "stack.json").write_text(record)
    with pytest.raises(UnreachableError, match=r"stack\.json"):
        stack.find("one")


def test_the_record_is_plain(home):
    made = create("one", 20000)
    record = json.loads((made.root / "stack.json").read_text())
    assert record == {
        "format": 1,
        "name": "one",
        "port_base": 20000,
        "analytics": True,
        "fhir_web": "",
    }


def test_what_a_stack_was_asked_to_run_is_kept(home):
    made = create("one", 20000, analytics=False, fhir_web="/srv/fhir-web")
    assert stack.find("one") == made


def test_a_record_of_before_analytics_gets_them(home):
    made = create("one", 20000)
    (made.root / "stack.json").write_text('{"format": 1, "name": "one", "port_base": 20000}')
    assert stack.find("one") == made


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ("web", "{here}/web"), ("./web/", "{here}/web"), ("../{name}/web", "{here}/web"),
        ("/srv/web", "/srv/web"), ("/srv/../srv/web", "/srv/web"), ("", ""), (None, "/srv/old"),
    ],
)  # fmt: skip
def test_fhir_webs_directory_is_kept_as_every_later_command_finds_it(
    tmp_path, monkeypatch, named, kept
):
    monkeypatch.chdir(tmp_path)
    found = stack.Stack("one", tmp_path, 20000, fhir_web="/srv/old")
    wanted = up.Wanted(fhir_web=named and named.format(name=tmp_path.name))
    assert up.as_wanted(found, wanted).fhir_web == kept.format(here=tmp_path)


@pytest.mark.parametrize("place", ["a-file", "none/below"])
def test_a_place_for_stacks_that_cannot_be_used_is_named_with_the_remedy(tmp_path, place):
    (tmp_path / "a-file").touch()
    with pytest.raises(UnreachableError) as error:
        make_directory(tmp_path / place / "one", OWN)
    assert str(tmp_path / place) in str(error.value)
    assert "FHIRSTACK_HOME" in error.value.remedy
