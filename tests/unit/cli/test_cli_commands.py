"""All commands: each in its module, and imported alone."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from fhirstack.bundle.programs import PLACES, disk_error
from fhirstack.cli.main import COMMANDS, application, main, refuse_empty
from fhirstack.cli.options import check_output
from fhirstack.errors import ExitCode


def names(app):
    command = typer.main.get_command(app)
    return set(command.commands)


def test_without_a_command_all_are_there():
    assert names(application()) == {name for some in COMMANDS.values() for name in some}
    assert names(application(["--help"])) == names(application())


@pytest.mark.parametrize("module", COMMANDS)
def test_a_module_has_the_commands_of_its_line(module):
    for name in COMMANDS[module]:
        assert names(application([name])) == set(COMMANDS[module])


@pytest.mark.parametrize("word", ["drift", "plan", "check"])
def test_a_look_at_hosts_imports_nothing_of_the_stack_on_this_machine(word):
    script = (
        f"import sys; sys.path[:0] = {sys.path}; from fhirstack.cli.main import application;"
        f"application(['{word}']);"
        "sys.exit(' '.join(m for m in ('psycopg', 'playwright', 'supervisor', 'fhirstack.demo')"
        " if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == ""


@pytest.mark.parametrize(
    "told",
    [("", "a directory"), ("nowhere/report.json", "there is no such directory")],
)
@pytest.mark.parametrize("command", [("verify",), ("preflight",), ("firewall", "prove")])
def test_a_report_that_cannot_be_written_is_told_before_the_work(
    tmp_path, capsys, monkeypatch, command, told
):
    place, said = told
    monkeypatch.setattr(sys, "argv", ["fhirstack", *command, "--output", str(tmp_path / place)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == ExitCode.USAGE
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("command", [("verify",), ("plan", "--save"), ("firewall", "prove")])
def test_a_report_into_a_place_where_nothing_can_be_written_is_told_before_the_work(
    capsys, monkeypatch, command
):
    option = [] if "--save" in command else ["--output"]
    words = ["fhirstack", *command, *option, "/proc/self/report.json"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == ExitCode.USAGE
    said = " ".join(capsys.readouterr().err.split())
    assert "/proc/self/report.json: cannot be written" in said
    assert "name another file" in said


def test_looking_whether_a_report_can_be_written_leaves_all_as_it_was(tmp_path):
    there = tmp_path / "there.json"
    there.write_text("before")
    for place in (there, tmp_path / "new.json"):
        check_output(place)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"there.json": "before"}


EMPTY = [
    (("secret", ""), "after secret"),
    (("restart", ""), "after restart"),
    (("logs", ""), "after logs"),
    (("verify", ""), "after verify"),
    (("verify", "token.", ""), "after token."),
    (("plan", "-e", ""), "after -e"),
    (("plan", "--environment="), "after --environment"),
    (("apply", "-e", "x", "--host", " "), "after --host"),
    (("up", "--without", ""), "after --without"),
    (("status", "--name", ""), "after --name"),
    (("verify", "--output", ""), "after --output"),
    (("",), "after fhirstack"),
]


@pytest.mark.parametrize(("words", "said"), EMPTY)
def test_an_empty_word_is_refused_and_means_nothing(capsys, monkeypatch, words, said):
    monkeypatch.setattr(sys, "argv", ["fhirstack", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == ExitCode.USAGE
    told = capsys.readouterr().err
    assert f"nothing is given {said}\n" in told
    assert "variable of the shell" in told


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("up", "--fhir-web", ""),
        ("up", "--fhir-web="),
        ("run", "-e", "x", "--", "test", "-z", ""),
        ("run", "-e", "x", "--", "env", "A="),
        ("verify", "a=b", "--seed=1"),
    ],
)
def test_what_may_be_empty_is_let_through(words):
    refuse_empty(words)


WRONG_PLACES = ["a-file", "a-file/below", "/proc/self", "/proc/self/below"]


@pytest.mark.parametrize("option", [(), ("--delete-data",)])
def test_a_stack_that_is_not_there_cannot_be_taken_down(capsys, monkeypatch, tmp_path, option):
    monkeypatch.setenv("FHIRSTACK_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["fhirstack", "down", "--name", "none", *option])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == ExitCode.USAGE
    assert "there is no stack none" in capsys.readouterr().err


def test_what_an_interrupted_first_up_left_is_deleted(capsys, monkeypatch, tmp_path):
    (tmp_path / "half/secrets").mkdir(parents=True)
    monkeypatch.setenv("FHIRSTACK_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["fhirstack", "down", "--name", "half", "--delete-data"])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    assert not (tmp_path / "half").exists()


@pytest.mark.parametrize("variable", PLACES)
@pytest.mark.parametrize("place", WRONG_PLACES)
def test_a_place_from_a_variable_is_mended_by_that_variable(monkeypatch, tmp_path, variable, place):
    monkeypatch.chdir(tmp_path)
    for name in PLACES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, place)
    below = Path(place).absolute() / "fhirstack/stack.json"
    error = disk_error(NotADirectoryError(errno.ENOTDIR, "Not a directory"), below)
    assert error.remedy == f"Set {variable} to a directory that can be written."
    assert disk_error(OSError(errno.EACCES, "No"), Path("/x")).remedy.startswith("Mend it")


def test_a_place_that_cannot_be_used_is_named_without_a_traceback(tmp_path, capsys, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("FHIRSTACK_HOME", str(file))
    monkeypatch.setattr(sys, "argv", ["fhirstack", "status"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == ExitCode.UNREACHABLE
    said = capsys.readouterr().err.replace("\n", "")
    assert f"{file}/" in said
    assert "Set FHIRSTACK_HOME to a directory that can be written." in said


@pytest.mark.parametrize("output", ["json", "junit"])
def test_a_full_disk_is_told_without_a_traceback(capsys, monkeypatch, output):
    monkeypatch.setattr("fhirstack.cli.verify.existing", lambda name: None)
    monkeypatch.setattr("fhirstack.cli.verify.open_platform", lambda found: None)
    monkeypatch.setattr("fhirstack.cli.verify.verify_all", lambda platform, shown: [])
    words = ["fhirstack", "verify", "--format", output, "--output", "/dev/full"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == ExitCode.UNREACHABLE
    assert "No space left" in capsys.readouterr().err
