"""All commands: each in its module, and imported alone."""

import subprocess
import sys

import pytest
import typer

from fhirstack.cli.main import COMMANDS, application, main
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


def test_a_place_that_cannot_be_used_is_named_without_a_traceback(tmp_path, capsys, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("FHIRSTACK_HOME", str(file))
    monkeypatch.setattr(sys, "argv", ["fhirstack", "status"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == ExitCode.UNREACHABLE
    assert f"{file}/" in capsys.readouterr().err.replace("\n", "")


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
